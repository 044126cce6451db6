//! `export!`: names a reducer and, in wasm, gives the component its exports.

/// What `export!` knows of a reducer.
#[diagnostic::on_unimplemented(
    message = "the reducer `{Self}` is not exported",
    label = "has no name and version yet",
    note = "write `retally::export!({Self});` beside it"
)]
pub trait Exported: 'static {
    /// The reducer's name: lower-case letters, digits, `-` and `_`.
    const NAME: &'static str;
    /// Its version, as its author counts.
    const VERSION: &'static str;
}

/// Makes a type the reducer of this crate: `retally::export!(Orders);`.
///
/// Name and version are the package's, unless given:
/// `retally::export!(Orders, name = "orders", version = "2.0.0");`. In wasm this also makes the
/// exports of the component, so a crate that is compiled to wasm exports one reducer.
#[macro_export]
macro_rules! export {
    ($reducer:ty) => {
        $crate::export!(
            $reducer,
            name = env!("CARGO_PKG_NAME"),
            version = env!("CARGO_PKG_VERSION")
        );
    };
    ($reducer:ty, name = $name:expr, version = $version:expr) => {
        impl $crate::Exported for $reducer {
            const NAME: &'static str = $name;
            const VERSION: &'static str = $version;
        }
        const _: () = $crate::__private::within_bounds::<$reducer>();
        $crate::__exports!($reducer);
    };
}

/// Nothing to do outside of wasm.
#[cfg(not(target_family = "wasm"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __exports {
    ($reducer:ty) => {};
}

/// The exported functions, under the names that the canonical ABI gives them.
#[cfg(target_family = "wasm")]
#[doc(hidden)]
#[macro_export]
macro_rules! __exports {
    ($reducer:ty) => {
        const _: () = {
            use $crate::__private::{abi, glue};

            /// Tells who turns the module into a component which world it implements.
            #[used]
            #[unsafe(link_section = "component-type:retally-reducer")]
            static CONTRACT: [u8; $crate::__private::CONTRACT.len()] = *$crate::__private::CONTRACT;

            #[unsafe(export_name = "cabi_realloc")]
            unsafe extern "C" fn allocate(
                old: *mut u8,
                old_len: usize,
                align: usize,
                len: usize,
            ) -> *mut u8 {
                unsafe { glue::allocate(old, old_len, align, len) }
            }

            #[unsafe(export_name = "describe")]
            extern "C" fn describe() -> *mut abi::Description {
                glue::describe::<$reducer>()
            }

            #[unsafe(export_name = "apply")]
            unsafe extern "C" fn apply(batch: *mut abi::Batch) -> *mut abi::Outcome {
                unsafe { glue::apply::<$reducer>(batch) }
            }

    $crate::__keyed!("view", view::<$reducer>() -> abi::Viewed);
    $crate::__keyed!("check", check::<$reducer>() -> abi::List<abi::Violated>);
    $crate::__keyed!("migrate", migrate::<$reducer>(version: u32) -> abi::Migrated);

            $crate::__take_back!("cabi_post_describe", describe_done(abi::Description));
            $crate::__take_back!("cabi_post_apply", apply_done(abi::Outcome));
            $crate::__take_back!("cabi_post_view", view_done(abi::Viewed));
            $crate::__take_back!("cabi_post_check", check_done(abi::List<abi::Violated>));
            $crate::__take_back!("cabi_post_migrate", migrate_done(abi::Migrated));
        };
    };
}

/// An export whose last argument is a `keyed` in its flat form.
#[cfg(target_family = "wasm")]
#[doc(hidden)]
#[macro_export]
macro_rules! __keyed {
    ($export:literal, $name:ident::<$reducer:ty>($($arg:ident: $type:ty)?) -> $result:ty) => {
        #[unsafe(export_name = $export)]
        #[allow(clippy::too_many_arguments)]
        unsafe extern "C" fn $name(
            $($arg: $type,)?
            a: usize, b: usize, c: usize, d: usize, e: usize, f: usize,
            g: usize, h: usize, i: usize, j: usize, k: usize, l: usize,
        ) -> *mut $result {
            unsafe { glue::$name::<$reducer>($($arg,)? [a, b, c, d, e, f, g, h, i, j, k, l]) }
        }
    };
}

/// Frees what an export gave.
#[cfg(target_family = "wasm")]
#[doc(hidden)]
#[macro_export]
macro_rules! __take_back {
    ($export:literal, $name:ident($result:ty)) => {
        #[unsafe(export_name = $export)]
        unsafe extern "C" fn $name(result: *mut $result) {
            unsafe { glue::take_back(result) }
        }
    };
}
