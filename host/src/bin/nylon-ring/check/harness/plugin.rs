//! A plugin as the harness loads it: step by step, each step said in the report before it is made.

use std::{error::Error as _, ffi::c_void, mem, path::Path, ptr, sync::Arc};

use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
use nylon_ring::{
    ATTACH_HOST_SYMBOL, ENTRY_SYMBOL, GET_EXTENSION_SYMBOL, NR_ABI_VERSION, NrAttachHostFn, NrGetExtensionFn,
    NrGetPluginFn, NrPluginInfo, NrPluginVTable, NrRawHandleFn, NrRawInitFn, NrStatus, NrStr,
};

use super::{Stop, host, tables};
use crate::check::{code::Code, report};

/// Its functions, checked as far as they can be.
#[derive(Clone)]
pub(crate) struct Plugin {
    pub(crate) name: String,
    pub(crate) version: String,
    /// That of the info, or of an instance.
    pub(crate) ctx: *mut c_void,
    pub(crate) host_ctx: usize,
    pub(crate) handle: NrRawHandleFn,
    init: Option<NrRawInitFn>,
    shutdown: Option<unsafe extern "C" fn(*mut c_void)>,
    attach: Option<NrAttachHostFn>,
    get_extension: Option<NrGetExtensionFn>,
    /// Never unmapped, unless a check does so.
    pub(crate) library: Arc<mem::ManuallyDrop<Library>>,
}

// SAFETY: the functions may be called on any thread, and the context is only handed back to them.
unsafe impl Send for Plugin {}
// SAFETY: as above.
unsafe impl Sync for Plugin {}

impl Plugin {
    /// Maps the library, asks for its info, and checks all of it. A finding for what is wrong.
    pub(crate) fn load(path: &Path) -> Result<Self, Stop> {
        report::phase("load");
        // SAFETY: constructors run here; this process is there to see what they do.
        let library = unsafe { Library::open(Some(path), RTLD_NOW | RTLD_LOCAL) }.map_err(|error| {
            let said = error.source().map_or_else(|| error.to_string(), ToString::to_string);
            let code = if said.contains("undefined symbol") || said.contains("symbol not found") {
                Code::UnresolvedSymbol
            } else {
                Code::LoadFailed
            };
            Stop::found(code, format!("the dynamic loader says: {said}"))
        })?;
        let library = Arc::new(mem::ManuallyDrop::new(library));
        // SAFETY: the ABI gives this name this type.
        let entry = unsafe { library.get::<NrGetPluginFn>(ENTRY_SYMBOL) }
            .map_err(|_| Stop::found(Code::MissingSymbol, format!("{ENTRY_SYMBOL} is not exported")))?;
        report::phase("nylon_ring_get_plugin_v1");
        // SAFETY: it may be called at any time.
        let info = unsafe { entry() };
        // SAFETY: as above.
        let again = unsafe { entry() };
        if info.is_null() {
            return Err(Stop::found(Code::NullInfo, "nylon_ring_get_plugin_v1 returned NULL"));
        }
        if info != again {
            report::finding(Code::InfoChanges, "nylon_ring_get_plugin_v1 returned another pointer the second time");
        }
        Self::read(info, library.clone())
    }

    fn read(info: *const NrPluginInfo, library: Arc<mem::ManuallyDrop<Library>>) -> Result<Self, Stop> {
        report::phase("reading the plugin's info");
        let info = read_info(info)?;
        let name = text(info.name).map_err(|what| Stop::found(Code::NameInvalid, format!("the name is {what}")))?;
        let version =
            text(info.version).map_err(|what| Stop::found(Code::VersionInvalid, format!("the version is {what}")))?;
        if info.vtable.is_null() {
            return Err(Stop::found(Code::NullVtable, "the vtable is NULL"));
        }
        // SAFETY: not null, and the ABI has it point to a vtable; a function pointer in an `Option` is valid for any bits.
        let vtable: NrPluginVTable = unsafe { info.vtable.read_unaligned() };
        let handle = vtable.raw_handle().ok_or_else(|| Stop::found(Code::HandleMissing, "vtable->handle is NULL"))?;
        // SAFETY: the ABI gives this name this type.
        let attach = unsafe { library.get::<NrAttachHostFn>(ATTACH_HOST_SYMBOL) }.ok().map(|symbol| *symbol);
        // SAFETY: the ABI gives this name this type.
        let get_extension = unsafe { library.get::<NrGetExtensionFn>(GET_EXTENSION_SYMBOL) }.ok().map(|symbol| *symbol);
        Ok(Self {
            name,
            version,
            ctx: info.plugin_ctx,
            host_ctx: host::new_host_ctx().map_err(Stop::Harness)?,
            handle,
            init: vtable.raw_init(),
            shutdown: vtable.shutdown,
            attach,
            get_extension,
            library,
        })
    }

    /// Another instance, with a `host_ctx` of its own.
    pub(crate) fn instance(&self, ctx: *mut c_void) -> Result<Self, Stop> {
        Ok(Self { ctx, host_ctx: host::new_host_ctx().map_err(Stop::Harness)?, ..self.clone() })
    }

    /// `nylon_ring_attach_host_v1` and `init`; what `init` returned. A finding if that is no status.
    pub(crate) fn try_start(&self) -> NrStatus {
        if let Some(attach) = self.attach {
            report::phase("nylon_ring_attach_host_v1");
            // SAFETY: before `init`, with a table that lives for ever.
            unsafe { attach(self.ctx, tables::api(self.host_ctx)) };
        }
        let Some(init) = self.init else { return NrStatus::Ok };
        report::phase("init");
        // SAFETY: once for each context, with a table that lives for ever.
        let raw = unsafe { init(self.ctx, ptr::without_provenance_mut(self.host_ctx), &raw const host::VTABLE) };
        NrStatus::from_raw(raw).unwrap_or_else(|| {
            report::finding(Code::UnknownStatusFromInit, format!("init returned {raw}, which the ABI does not name"));
            NrStatus::Err
        })
    }

    /// The same; a finding if it refuses.
    pub(crate) fn start(&self) -> Result<(), Stop> {
        let status = self.try_start();
        if status == NrStatus::Ok || report::found_any() {
            return if status == NrStatus::Ok { Ok(()) } else { Err(Stop::Reported) };
        }
        Err(Stop::found(Code::InitRefused, format!("init returned {} ({status})", status.as_raw())))
    }

    /// `shutdown`.
    pub(crate) fn stop(&self) {
        if let Some(shutdown) = self.shutdown {
            report::phase("shutdown");
            // SAFETY: once, after the last `handle` has returned.
            unsafe { shutdown(self.ctx) };
        }
        report::phase("after shutdown");
    }

    /// The table of an extension that the plugin offers.
    pub(crate) fn extension(&self, id: &std::ffi::CStr) -> *const c_void {
        let Some(get_extension) = self.get_extension else { return ptr::null() };
        // SAFETY: the id ends with a NUL and lives longer than the call.
        unsafe { get_extension(self.ctx, id.as_ptr()) }
    }
}

fn read_info(info: *const NrPluginInfo) -> Result<NrPluginInfo, Stop> {
    const SIZE: u32 = mem::size_of::<NrPluginInfo>() as u32;
    // SAFETY: not null, and the ABI has it point to an info, whose first field every version has.
    let version = unsafe { info.cast::<u32>().read_unaligned() };
    if version != NR_ABI_VERSION {
        return Err(Stop::found(
            Code::AbiVersion,
            format!("abi_version is {version}, this is version {NR_ABI_VERSION}"),
        ));
    }
    // SAFETY: this version of the ABI has this field, whatever the size.
    let size = unsafe { info.cast::<u32>().wrapping_add(1).read_unaligned() };
    if size < SIZE {
        return Err(Stop::found(Code::StructSize, format!("struct_size is {size}, the ABI has {SIZE}")));
    }
    // SAFETY: the plugin states that there are at least `SIZE` bytes; every field is valid for any bits.
    Ok(unsafe { info.read_unaligned() })
}

fn text(text: NrStr) -> Result<String, String> {
    let bytes = host::read(nylon_ring::NrBytes { ptr: text.ptr, len: u64::from(text.len) })?;
    String::from_utf8(bytes).map_err(|error| format!("not UTF-8: {}", error.as_bytes().escape_ascii()))
}
