//! By what a component becomes code that runs. All of them keep the settings that determinism
//! needs, so that results of one can be held against those of another.

use std::env::consts::{ARCH, OS};
use wasmtime::{Config, OptLevel, Strategy};

/// How a component is compiled; changes no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compiler {
    /// By Cranelift, to fast code for this very processor.
    #[default]
    Optimised,
    /// By Cranelift, to code that is not optimised.
    Unoptimised,
    /// By Cranelift, to fast code for any processor of this architecture: without what only newer
    /// ones have, so that on x86-64 rounding and the like are calls of the host.
    Baseline,
    /// By Winch, which has one pass and nothing of Cranelift's but its assembler. It does not take
    /// all that Cranelift does.
    Winch,
    /// By Cranelift, to the bytecode of Pulley, which is interpreted: no instruction of the
    /// processor is chosen by a compiler of WebAssembly.
    Pulley,
}

impl Compiler {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Optimised, Self::Unoptimised, Self::Baseline, Self::Winch, Self::Pulley];

    /// What compiles.
    pub(crate) fn strategy(self) -> Strategy {
        match self {
            Self::Winch => Strategy::Winch,
            Self::Optimised | Self::Unoptimised | Self::Baseline | Self::Pulley => {
                Strategy::Cranelift
            }
        }
    }

    /// Chooses it.
    pub(crate) fn choose(self, config: &mut Config) -> wasmtime::Result<()> {
        config.strategy(self.strategy());
        config.cranelift_opt_level(match self {
            Self::Unoptimised => OptLevel::None,
            Self::Optimised | Self::Baseline | Self::Winch | Self::Pulley => OptLevel::Speed,
        });
        match self {
            // A target that is named is one of which nothing is known but its architecture.
            Self::Baseline => config.target(&host()).map(drop),
            Self::Pulley => config.target(&pulley()).map(drop),
            Self::Optimised | Self::Unoptimised | Self::Winch => Ok(()),
        }
    }

    /// What a manifest says of it, beside its name.
    pub(crate) fn settings(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Unoptimised => &[("optimised", "no")],
            Self::Baseline => &[("cpu", "baseline")],
            Self::Optimised | Self::Winch | Self::Pulley => &[],
        }
    }

    /// For what it compiles, as a manifest says it.
    pub(crate) fn target(self) -> String {
        let processor = if self == Self::Pulley { pulley() } else { ARCH.to_owned() };
        format!("{processor}-{OS}")
    }
}

/// The target for which this program was built, as compilers call it. Where this is wrong, the
/// engine says so.
fn host() -> String {
    let system = match OS {
        "macos" => "apple-darwin",
        _ if cfg!(target_env = "musl") => "unknown-linux-musl",
        _ => "unknown-linux-gnu",
    };
    format!("{ARCH}-{system}")
}

/// Its bytecode for addresses and numbers as they are here.
fn pulley() -> String {
    let order = if cfg!(target_endian = "big") { "be" } else { "" };
    format!("pulley{}{order}", usize::BITS)
}

#[cfg(test)]
mod tests {
    use super::Compiler;
    use wasmtime::Store;
    use wasmtime::component::{Component, Linker};

    /// Instructions that give a NaN of `$a` and `$b` if either is one, or if nothing else is right.
    const OF_TWO: [&str; 6] = ["add", "sub", "mul", "div", "min", "max"];

    /// The same of `$a` alone.
    const OF_ONE: [&str; 5] = ["sqrt", "ceil", "floor", "trunc", "nearest"];

    /// A component with one function for each instruction and width: the bits of what comes out.
    fn nans() -> (String, Vec<String>) {
        let (mut module, mut lifted, mut names) = (String::new(), String::new(), Vec::new());
        for bits in [32, 64] {
            let of_two = OF_TWO.map(|name| (name, "(local.get $a) (local.get $b)"));
            let of_one = OF_ONE.map(|name| (name, "(local.get $a)"));
            for (name, operands) in of_two.into_iter().chain(of_one) {
                let export = format!("{name}-{bits}");
                module += &format!(
                    "(func (export \"{export}\") (param $x i64) (param $y i64) (result i64)
                        (local $a f{bits}) (local $b f{bits})
                        (local.set $a {a}) (local.set $b {b})
                        {bits_of})",
                    a = of_bits(bits, "$x"),
                    b = of_bits(bits, "$y"),
                    bits_of = match bits {
                        32 => format!(
                            "(i64.extend_i32_u (i32.reinterpret_f32 (f32.{name} {operands})))"
                        ),
                        _ => format!("(i64.reinterpret_f64 (f64.{name} {operands}))"),
                    }
                );
                lifted += &format!(
                    "(func (export \"{export}\") (param \"x\" u64) (param \"y\" u64) (result u64)
                        (canon lift (core func $i \"{export}\")))"
                );
                names.push(export);
            }
        }
        let all = format!(
            "(component (core module $m {module}) (core instance $i (instantiate $m)) {lifted})"
        );
        (all, names)
    }

    fn of_bits(bits: u32, of: &str) -> String {
        match bits {
            32 => format!("(f32.reinterpret_i32 (i32.wrap_i64 (local.get {of})))"),
            _ => format!("(f64.reinterpret_i64 (local.get {of}))"),
        }
    }

    /// Numbers of which none, or one, or both are a NaN of some kind, as bits of either width.
    fn operands(bits: u64) -> Vec<u64> {
        let (infinity, quiet) = match bits {
            32 => (0x7f80_0000, 0x40_0000),
            _ => (0x7ff0_0000_0000_0000, 0x8_0000_0000_0000),
        };
        let sign = 1 << (bits - 1);
        let nan = infinity | quiet;
        vec![0, infinity, sign | infinity, nan, sign | nan, nan | 5, sign | infinity | 9]
    }

    fn bits_of(compiler: Compiler) -> Vec<(String, u64)> {
        let (text, names) = nans();
        let engine = crate::engine::engine(512 << 10, compiler).unwrap();
        let component = Component::from_binary(&engine, &wat::parse_str(text).unwrap()).unwrap();
        let mut store = Store::new(&engine, ());
        store.set_epoch_deadline(1 << 20);
        let instance = Linker::new(&engine).instantiate(&mut store, &component).unwrap();
        let mut found = Vec::new();
        for name in names {
            let call = instance.get_typed_func::<(u64, u64), (u64,)>(&mut store, &name).unwrap();
            let operands = operands(if name.ends_with("32") { 32 } else { 64 });
            for &x in &operands {
                for &y in &operands {
                    let (bits,) = call.call(&mut store, (x, y)).unwrap();
                    found.push((format!("{name} {x:x} {y:x}"), bits));
                }
            }
        }
        found
    }

    #[test]
    fn every_compiler_makes_the_same_nan_of_all_of_them() {
        let expected = bits_of(Compiler::Optimised);
        let is_nan = |bits: u64| [0x7fc0_0000, 0x7ff8_0000_0000_0000].contains(&bits);
        assert!(expected.iter().filter(|(_, bits)| is_nan(*bits)).count() > 500, "{expected:x?}");
        for (call, bits) in &expected {
            let is_of_32 = call.contains("-32");
            let is_any_nan = match is_of_32 {
                true => f32::from_bits(*bits as u32).is_nan(),
                false => f64::from_bits(*bits).is_nan(),
            };
            assert!(!is_any_nan || is_nan(*bits), "{call} gives {bits:x}");
        }
        for compiler in Compiler::ALL {
            let differ = expected.iter().zip(bits_of(compiler));
            let differ: Vec<_> = differ.filter(|(one, other)| *one != other).collect();
            assert!(differ.is_empty(), "{compiler:?}: {differ:x?}");
        }
    }
}
