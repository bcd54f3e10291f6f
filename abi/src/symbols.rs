//! Names and types of what is looked up by name: the symbols a plugin exports, and the ids of extensions.

use core::ffi::{CStr, c_char, c_void};

use crate::{NrHostApi, NrPluginInfo};

/// The symbol every plugin exports, an [`NrGetPluginFn`].
pub const ENTRY_SYMBOL: &str = "nylon_ring_get_plugin_v1";

/// The optional symbol by which a plugin learns of the host's extensions, an [`NrAttachHostFn`].
pub const ATTACH_HOST_SYMBOL: &str = "nylon_ring_attach_host_v1";

/// The optional symbol by which a host learns of the plugin's extensions, an [`NrGetExtensionFn`].
pub const GET_EXTENSION_SYMBOL: &str = "nylon_ring_get_extension_v1";

/// The id of the state extension of the host; its table is an [`NrHostExt`](crate::NrHostExt).
///
/// ```
/// assert_eq!(nylon_ring::EXT_STATE.to_str(), Ok("nylon.state/1"));
/// ```
pub const EXT_STATE: &CStr = c"nylon.state/1";

/// The type of [`ENTRY_SYMBOL`].
///
/// Called on the loading thread, possibly more than once (one library may be loaded by several hosts); returns the
/// same info each time, or null if the plugin cannot be used. The plugin owns the info.
pub type NrGetPluginFn = unsafe extern "C" fn() -> *const NrPluginInfo;

/// The type of [`ATTACH_HOST_SYMBOL`].
///
/// Called once before `init`, on the same thread, with the `plugin_ctx` of the plugin's info. The host owns `api`, and
/// never frees it while a thread of the plugin can run.
pub type NrAttachHostFn = unsafe extern "C" fn(plugin_ctx: *mut c_void, api: *const NrHostApi);

/// The type of [`GET_EXTENSION_SYMBOL`].
///
/// `id` is NUL-terminated and read only during the call. Returns the extension's table, which the plugin owns and keeps
/// for as long as its library is loaded, or null if it does not offer one. Called after the info was read and
/// before `shutdown`, on any thread; the answer for an id is always the same.
pub type NrGetExtensionFn = unsafe extern "C" fn(plugin_ctx: *mut c_void, id: *const c_char) -> *const c_void;
