;; A reducer whose memory several threads share: what one reads while another writes is not
;; determined. Refused before it is compiled, so that its functions need not be a reducer's.
(component
  (core module $m
    (memory 1 2 shared)
    (func (export "f") (drop (i32.atomic.rmw.add (i32.const 0) (i32.const 1)))))
  (core instance $i (instantiate $m))
  (func $f (canon lift (core func $i "f")))
  (export "describe" (func $f))
  (export "apply" (func $f))
  (export "view" (func $f))
  (export "check" (func $f))
  (export "migrate" (func $f)))
