//! Loads a plugin's library and checks it, once. The only user of libloading.
//!
//! The checks, each with its own error: the file can be read and copied, the library opens, it exports the entry
//! function, the info pointer is not null, the ABI version is this one, the info is large enough, name and version
//! are UTF-8, the vtable is not null, `handle` is there. What comes out is a [`LoadedPlugin`]: owned text and
//! non-optional functions, nothing to be checked again.
//!
//! Invariants:
//!
//! 1. A library that was opened is not unmapped, not even when a later check fails: threads that it started (from a
//!    constructor, from `init`) may still run its code, and nothing here can know. The one exception is [`Share::release`].
//! 2. The plugin's structs are read with unaligned reads and copied out once; a field past those that a plugin of any
//!    ABI version has (`abi_version`, `struct_size`) is read only after both are checked.
//! 3. No Rust enum is formed from the plugin's memory or returns: functions that return a status are typed to return
//!    `u32`.
//! 4. Every symbol is resolved at load (`RTLD_NOW`), from the library and its own dependencies (`RTLD_LOCAL`), never
//!    from another plugin.

use std::{
    error::Error,
    mem::{self, ManuallyDrop},
    path::{Path, PathBuf},
    sync::Arc,
};

#[cfg(windows)]
use libloading::Library;
#[cfg(unix)]
use libloading::os::unix::Library;
use nylon_ring::{
    ATTACH_HOST_SYMBOL, ENTRY_SYMBOL, GET_EXTENSION_SYMBOL, NR_ABI_VERSION, NrAttachHostFn, NrGetExtensionFn,
    NrGetPluginFn, NrPluginInfo, NrPluginVTable, NrStr, NrViewError,
};

use crate::{
    dispatch::{Plugin, PluginFns},
    error::NylonRingHostError,
    library_copy::LibraryFile,
};

/// A share in a library that is mapped. Dropped, it keeps the library mapped for ever.
#[derive(Debug)]
pub(crate) struct Share(ManuallyDrop<Arc<Mapped>>);

#[derive(Debug)]
struct Mapped(ManuallyDrop<Library>);

impl Share {
    /// Another share in the same library.
    pub(crate) fn another(&self) -> Self {
        Self(self.0.clone())
    }

    /// Gives the share back; the library is unmapped when that was the last one, and no other was dropped.
    ///
    /// # Safety
    ///
    /// Nobody runs code of the library, or will, on behalf of this share: no thread, no function that was taken from it.
    pub(crate) unsafe fn release(self) {
        if let Some(mapped) = Arc::into_inner(ManuallyDrop::into_inner(self.0)) {
            drop(ManuallyDrop::into_inner(mapped.0));
        }
    }
}

/// A plugin whose library is mapped and checked, and that has not been started.
#[derive(Debug)]
pub(crate) struct LoadedPlugin {
    /// The file that it was loaded from.
    pub(crate) path: PathBuf,
    /// The plugin's name for itself.
    pub(crate) name: String,
    /// The plugin's version of itself.
    pub(crate) version: String,
    /// Its functions.
    pub(crate) plugin: Plugin,
}

/// Loads the plugin at `path`: a private copy of the file (see [`library_copy`](crate::library_copy)), or the file
/// itself.
///
/// # Errors
///
/// One variant a check, in the order of the checks.
pub(crate) fn load(path: &Path, in_place: bool) -> Result<LoadedPlugin, NylonRingHostError> {
    let file = if in_place { LibraryFile::in_place(path)? } else { LibraryFile::private_copy(path)? };
    let library = open(file.path())
        .map_err(|error| NylonRingHostError::LibraryOpen { path: path.into(), reason: said(&error) })?;
    file.mapped();
    let symbols = Symbols::look_up(&library, path)?;
    check(&symbols, Share(ManuallyDrop::new(Arc::new(Mapped(library)))), path)
}

/// Maps the library and runs its constructors. Invariants 1 and 4.
fn open(file: &Path) -> Result<ManuallyDrop<Library>, libloading::Error> {
    // SAFETY: constructors run here; to load a library is to trust it (see `dispatch`). They have no destructors to
    // fear: invariant 1.
    #[cfg(unix)]
    let library = unsafe {
        use libloading::os::unix::{RTLD_LOCAL, RTLD_NOW};
        Library::open(Some(file), RTLD_NOW | RTLD_LOCAL)
    };
    // SAFETY: as above. Windows resolves all imports at load, and has no global scope.
    #[cfg(windows)]
    let library = unsafe { Library::new(file) };
    library.map(ManuallyDrop::new)
}

/// What the dynamic loader said. (libloading's own text only names the function that failed.)
fn said(error: &libloading::Error) -> String {
    error.source().map_or_else(|| error.to_string(), ToString::to_string)
}

/// What a plugin exports.
struct Symbols {
    entry: NrGetPluginFn,
    attach_host: Option<NrAttachHostFn>,
    get_extension: Option<NrGetExtensionFn>,
}

impl Symbols {
    fn look_up(library: &Library, path: &Path) -> Result<Self, NylonRingHostError> {
        let missing = |reason| NylonRingHostError::SymbolMissing { path: path.into(), symbol: ENTRY_SYMBOL, reason };
        // SAFETY: the ABI gives this name this type; a symbol that resolves to null is `None`.
        let entry = unsafe { library.get::<Option<NrGetPluginFn>>(ENTRY_SYMBOL) }
            .map_err(|error| missing(said(&error)))?
            .ok_or_else(|| missing("it is null".to_owned()))?;
        // SAFETY: as above.
        let attach_host = unsafe { library.get::<Option<NrAttachHostFn>>(ATTACH_HOST_SYMBOL) };
        // SAFETY: as above.
        let get_extension = unsafe { library.get::<Option<NrGetExtensionFn>>(GET_EXTENSION_SYMBOL) };
        Ok(Self {
            entry,
            attach_host: attach_host.ok().and_then(|symbol| *symbol),
            get_extension: get_extension.ok().and_then(|symbol| *symbol),
        })
    }
}

/// Asks the plugin for its info and checks it.
fn check(symbols: &Symbols, library: Share, path: &Path) -> Result<LoadedPlugin, NylonRingHostError> {
    // SAFETY: the library is mapped (invariant 1), and the ABI lets the entry function be called at any time.
    let info = unsafe { (symbols.entry)() };
    let info = read_info(info, path)?;
    let name = read_text(info.name).map_err(|reason| NylonRingHostError::NameInvalid { path: path.into(), reason })?;
    let version =
        read_text(info.version).map_err(|reason| NylonRingHostError::VersionInvalid { path: path.into(), reason })?;
    let fns = read_functions(info.vtable, symbols, path)?;
    // SAFETY: all of them come from this plugin's info and exports, and from its library.
    let plugin = unsafe { Plugin::new(fns, info.plugin_ctx, library) };
    Ok(LoadedPlugin { path: path.into(), name, version, plugin })
}

/// Copies the info out. Invariant 2.
fn read_info(info: *const NrPluginInfo, path: &Path) -> Result<NrPluginInfo, NylonRingHostError> {
    const SIZE: u32 = mem::size_of::<NrPluginInfo>() as u32;

    if info.is_null() {
        return Err(NylonRingHostError::InfoNull { path: path.into() });
    }
    // SAFETY: not null, and the ABI has it point to an info, whose first field every version of the ABI has. (The
    // place is computed, not read.)
    let found = unsafe { &raw const (*info).abi_version };
    // SAFETY: as above; the read needs no alignment.
    let found = unsafe { found.read_unaligned() };
    if found != NR_ABI_VERSION {
        return Err(NylonRingHostError::AbiVersion { path: path.into(), found, expected: NR_ABI_VERSION });
    }
    // SAFETY: this version of the ABI has this field, whatever the size. (The place is computed, not read.)
    let found = unsafe { &raw const (*info).struct_size };
    // SAFETY: as above; the read needs no alignment.
    let found = unsafe { found.read_unaligned() };
    if found < SIZE {
        return Err(NylonRingHostError::StructSize { path: path.into(), found, expected: SIZE });
    }
    // SAFETY: the plugin states that there are at least `SIZE` bytes; every field is valid for any bits (integers and
    // raw pointers).
    Ok(unsafe { info.read_unaligned() })
}

/// Copies text out.
fn read_text(text: NrStr) -> Result<String, NrViewError> {
    // SAFETY: the ABI has the info's texts valid as long as the library is mapped; bad pointers and bytes are what is
    // checked here.
    let text = unsafe { text.as_str() }?;
    Ok(text.to_owned())
}

/// Copies the functions out. Invariants 2 and 3.
fn read_functions(
    vtable: *const NrPluginVTable,
    symbols: &Symbols,
    path: &Path,
) -> Result<PluginFns, NylonRingHostError> {
    if vtable.is_null() {
        return Err(NylonRingHostError::VTableNull { path: path.into() });
    }
    // SAFETY: not null, and the ABI has it point to a vtable; a function pointer in an `Option` is valid for any bits.
    let vtable = unsafe { vtable.read_unaligned() };
    let handle = vtable.raw_handle().ok_or_else(|| NylonRingHostError::HandleMissing { path: path.into() })?;
    Ok(PluginFns {
        handle,
        init: vtable.raw_init(),
        shutdown: vtable.shutdown,
        attach_host: symbols.attach_host,
        get_extension: symbols.get_extension,
    })
}
