//! The macro that exports a plugin.

/// Exports a [`Plugin`](crate::Plugin) from this library: `plugin! { Hello }`.
///
/// ```text
/// plugin! { Hello }                                        // name and version of the package
/// plugin! { Hello, name: "hello", version: "1.2.3" }       // constants of the type &'static str; each may be left out
/// plugin! { async Hello }                                  // for an AsyncPlugin
/// ```
///
/// To be written once. It defines the three functions that a host looks for, `nylon_ring_get_plugin_v1`,
/// `nylon_ring_attach_host_v1` and `nylon_ring_get_extension_v1`, each one call of this crate.
#[macro_export]
macro_rules! plugin {
    (async $plugin:ty $(, $($options:tt)*)?) => {
        $crate::plugin! { $crate::Async<$plugin> $(, $($options)*)? }
    };
    ($plugin:ty $(,)?) => {
        $crate::plugin! { $plugin, name: env!("CARGO_PKG_NAME"), version: env!("CARGO_PKG_VERSION") }
    };
    ($plugin:ty, name: $name:expr $(,)?) => {
        $crate::plugin! { $plugin, name: $name, version: env!("CARGO_PKG_VERSION") }
    };
    ($plugin:ty, version: $version:expr $(,)?) => {
        $crate::plugin! { $plugin, name: env!("CARGO_PKG_NAME"), version: $version }
    };
    ($plugin:ty, version: $version:expr, name: $name:expr $(,)?) => {
        $crate::plugin! { $plugin, name: $name, version: $version }
    };
    ($plugin:ty, name: $name:expr, version: $version:expr $(,)?) => {
        #[doc(hidden)]
        fn __nylon_ring_exports() -> &'static $crate::__private::Exports {
            static INSTANCE: $crate::__private::Instance<$plugin> = $crate::__private::Instance::new();
            static EXPORTS: $crate::__private::Exports = $crate::__private::exports(&INSTANCE, $name, $version);
            &EXPORTS
        }

        /// The library's entry point.
        #[unsafe(no_mangle)]
        pub extern "C" fn nylon_ring_get_plugin_v1() -> *const $crate::__private::NrPluginInfo {
            &__nylon_ring_exports().info
        }

        /// Learns what the host offers beside the core ABI.
        ///
        /// # Safety
        ///
        /// As the ABI has it; only a host calls this.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn nylon_ring_attach_host_v1(
            plugin_ctx: *mut ::core::ffi::c_void,
            api: *const $crate::__private::NrHostApi,
        ) {
            // SAFETY: the caller promises the same.
            unsafe { (__nylon_ring_exports().attach)(plugin_ctx, api) }
        }

        /// Tells what the plugin offers beside the core ABI.
        ///
        /// # Safety
        ///
        /// As the ABI has it; only a host calls this.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn nylon_ring_get_extension_v1(
            plugin_ctx: *mut ::core::ffi::c_void,
            id: *const ::core::ffi::c_char,
        ) -> *const ::core::ffi::c_void {
            // SAFETY: the caller promises the same.
            unsafe { (__nylon_ring_exports().extension)(plugin_ctx, id) }
        }
    };
    () => {
        ::core::compile_error!("`plugin!` needs the type of the plugin: `plugin! { MyPlugin }`");
    };
    ($plugin:ty, $($other:tt)*) => {
        ::core::compile_error!(
            "after the type, `plugin!` takes `name: \"…\"` and `version: \"…\"`, separated by commas, and nothing else"
        );
    };
    ($($other:tt)*) => {
        ::core::compile_error!(
            "`plugin!` takes one type: `plugin! { MyPlugin }`, or `plugin! { MyPlugin, name: \"…\", version: \"…\" }`"
        );
    };
}
