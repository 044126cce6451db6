;; A reducer that asks WASI for the time and for random bytes, as one that is built for
;; wasm32-wasip2 does.
(component
  (import "wasi:clocks/monotonic-clock@0.2.0" (instance
    (export "now" (func (result u64)))))
  (import "wasi:random/random@0.2.0" (instance
    (export "get-random-u64" (func (result u64)))))
  (core module $m (func (export "f")))
  (core instance $i (instantiate $m))
  (func $f (canon lift (core func $i "f")))
  (export "describe" (func $f))
  (export "apply" (func $f))
  (export "view" (func $f))
  (export "check" (func $f))
  (export "migrate" (func $f)))
