//! What can go wrong in a host: one enum, in the order in which things happen.
//!
//! Loading runs its checks in the order of the variants [`LibraryFile`](NylonRingHostError::LibraryFile) to
//! [`InitRefused`](NylonRingHostError::InitRefused) and stops at the first that fails. The rest arise later, from calls
//! and from shutting down. Every message says what failed, with what, and what to do next.

use std::{io, path::PathBuf};

use nylon_ring::{NrStatus, NrViewError};
use nylon_ring_runtime::RuntimeError;

/// Why a plugin was not loaded, or a call not made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NylonRingHostError {
    /// A reactor's thread was to keep to a core that this process may not use.
    #[error("a reactor was pinned to core {core}, which this process may not use; choose among {usable:?}")]
    NoSuchCore {
        /// The core that was asked for.
        core: usize,
        /// Those that may be used; none where the platform cannot pin threads.
        usable: Vec<usize>,
    },

    /// A plugin that is to be reloaded was to be loaded in place.
    #[error(
        "the plugin {} was to be loaded in place, and to be reloaded; a dynamic loader maps one file once, so leave out \
         load_in_place",
        path.display()
    )]
    ReloadInPlace {
        /// The file that was to be loaded.
        path: PathBuf,
    },

    /// No plugin of that name is registered.
    #[error("no plugin is registered as {name:?}; there are {known:?}")]
    UnknownPlugin {
        /// The name that was asked for.
        name: String,
        /// The names that there are.
        known: Vec<String>,
    },

    /// A plugin of that name is registered already.
    #[error("a plugin is registered as {name:?} already; reload it, remove it first, or choose another name")]
    PluginExists {
        /// The name.
        name: String,
    },

    /// The plugin's file is missing, is not a regular file, or cannot be read.
    #[error("cannot read the plugin {}: {source}; check the path and its permissions", path.display())]
    LibraryFile {
        /// The file that was to be loaded.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },

    /// The private copy of the plugin's file could not be made.
    #[error(
        "cannot copy the plugin {} into {}: {source}; free some space there, point TMPDIR elsewhere, or load the \
         file in place",
        path.display(), directory.display()
    )]
    LibraryCopy {
        /// The file that was to be loaded.
        path: PathBuf,
        /// The directory that was to hold the copy.
        directory: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },

    /// The dynamic loader rejected the file.
    #[error(
        "cannot open the plugin {}: {reason}; it must be a shared library for this platform, with every symbol \
         resolved; if it needs files beside itself, or the temporary directory forbids execution, load it in \
         place or set TMPDIR",
        path.display()
    )]
    LibraryOpen {
        /// The file that was to be loaded.
        path: PathBuf,
        /// What the dynamic loader said.
        reason: String,
    },

    /// The library does not export the function that every plugin must.
    #[error(
        "the library {} does not export {symbol} ({reason}); export it as a C function, or check that this is a \
         nylon-ring plugin",
        path.display()
    )]
    SymbolMissing {
        /// The library.
        path: PathBuf,
        /// The symbol that it should export.
        symbol: &'static str,
        /// What the dynamic loader said.
        reason: String,
    },

    /// The plugin's entry function returned null.
    #[error(
        "the plugin {} returned a null NrPluginInfo; its entry function must return a pointer to a static one",
        path.display()
    )]
    InfoNull {
        /// The library.
        path: PathBuf,
    },

    /// The plugin was built for another version of the ABI.
    #[error(
        "the plugin {} speaks version {found} of the ABI, this host version {expected}; build it against version \
         {expected}",
        path.display()
    )]
    AbiVersion {
        /// The library.
        path: PathBuf,
        /// The version that the plugin states.
        found: u32,
        /// The version that this host speaks.
        expected: u32,
    },

    /// The plugin's `NrPluginInfo` is smaller than this version of the ABI says.
    #[error(
        "the plugin {} states an NrPluginInfo of {found} bytes, the ABI has {expected}; set struct_size to \
         sizeof(NrPluginInfo) and rebuild",
        path.display()
    )]
    StructSize {
        /// The library.
        path: PathBuf,
        /// The size that the plugin states, in bytes.
        found: u32,
        /// The least size that is valid, in bytes.
        expected: u32,
    },

    /// The plugin's name is not valid text.
    #[error("the name of the plugin {} is not valid: {reason}; it must be UTF-8 text in static memory", path.display())]
    NameInvalid {
        /// The library.
        path: PathBuf,
        /// What is wrong with it.
        reason: NrViewError,
    },

    /// The plugin's version is not valid text.
    #[error(
        "the version of the plugin {} is not valid: {reason}; it must be UTF-8 text in static \
         memory",
        path.display()
    )]
    VersionInvalid {
        /// The library.
        path: PathBuf,
        /// What is wrong with it.
        reason: NrViewError,
    },

    /// The plugin's table of functions is null.
    #[error("the plugin {} has a null vtable; point it to a static NrPluginVTable", path.display())]
    VTableNull {
        /// The library.
        path: PathBuf,
    },

    /// The plugin's table has no `handle`.
    #[error("the plugin {} has no `handle`; it is the one function that every plugin must have", path.display())]
    HandleMissing {
        /// The library.
        path: PathBuf,
    },

    /// The plugin's `init` did not return `Ok`.
    #[error(
        "the plugin {} refused to start: init returned {status:?} ({raw}); look into the plugin's own log and \
         configuration",
        path.display()
    )]
    InitRefused {
        /// The library.
        path: PathBuf,
        /// What `init` returned; a value that the ABI does not name is `Err`.
        status: NrStatus,
        /// What `init` returned, as a number.
        raw: u32,
    },

    /// Another instance was asked for, and the plugin does not offer `nylon.instance/1`.
    #[error(
        "the plugin {plugin:?} does not offer nylon.instance/1; load its library again, which gives it statics of its own"
    )]
    InstancesUnsupported {
        /// The plugin's name for itself.
        plugin: String,
    },

    /// The plugin did not make another instance.
    #[error(
        "the plugin {plugin:?} made no other instance: create returned {status:?} ({raw}); look into the plugin's own log"
    )]
    InstanceRefused {
        /// The plugin's name for itself.
        plugin: String,
        /// What `create` returned; a value that the ABI does not name is `Err`.
        status: NrStatus,
        /// The same as a number.
        raw: u32,
    },

    /// The plugin's file cannot be watched.
    #[cfg(feature = "watch")]
    #[error("cannot watch the plugin {}: {reason}; check its directory, and the system's limit on watches", path.display())]
    FileWatch {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },

    /// The page about the host cannot be written.
    #[error("cannot publish the host at {}: {source}; check the directory, /dev/shm or /run is a good one", path.display())]
    Publish {
        /// The page's file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },

    /// The page about a host cannot be read.
    #[error("cannot read {} as a page about a host: {reason}; is this the path that the host publishes at?", path.display())]
    Page {
        /// The page's file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },

    /// A setting is out of range, or a shard's memory or doorbell could not be had.
    #[error("cannot set up the rings: {0}")]
    Runtime(#[source] RuntimeError),

    /// The thread that drains the rings could not be started.
    #[error("cannot start a reactor thread: {0}; raise the limit on threads, or call from a tokio runtime")]
    ReactorThread(#[source] io::Error),

    /// A part of the request is longer than the ABI can say.
    #[error("the {what} of the request is {len} long, the ABI allows {limit}; send large data in the body")]
    TooLarge {
        /// The part of the request.
        what: &'static str,
        /// How long it is: bytes of text, or number of headers.
        len: usize,
        /// How long it may be.
        limit: u32,
    },

    /// A header of an HTTP request holds bytes that are not UTF-8; text of the ABI is.
    #[cfg(feature = "http")]
    #[error("the value of the header {name} is not UTF-8, which the ABI demands; leave it out or encode it")]
    HeaderNotText {
        /// The header.
        name: String,
    },

    /// A request whose parts HTTP does not allow: a method with blanks, a path without a slash, a header with a line break.
    #[cfg(feature = "http")]
    #[error("the request cannot be said in HTTP: {reason}; check its method, path, query and headers")]
    NotHttp {
        /// What is wrong with it.
        reason: String,
    },

    /// As many calls are in flight as the host was built for.
    #[error("{limit} calls are in flight, which is the limit; wait for some to finish, or raise slots_per_shard")]
    TooManyInFlight {
        /// How many calls can be in flight.
        limit: u64,
    },

    /// The plugin's `handle` refused the request; no result follows.
    #[error(
        "the plugin refused the request: handle returned {status:?}; check that the request is one that the \
         plugin takes"
    )]
    Refused {
        /// What `handle` returned; a value that the ABI does not name is `Err`.
        status: NrStatus,
    },

    /// The plugin sent more than the host may buffer.
    #[error(
        "the results of the plugin exceed the buffer limit of {limit} bytes; take them faster, or raise buffer_limit"
    )]
    Overflow {
        /// How many bytes may be buffered.
        limit: u64,
    },

    /// The call was not answered in time.
    #[error("the plugin did not answer in time; raise the timeout, or look into what holds the plugin up")]
    Timeout,

    /// The host is shutting down and takes no new calls.
    #[error("the host is shutting down and takes no new calls; load the plugin again for more")]
    ShuttingDown,

    /// The host was shut down before the call was answered.
    #[error(
        "the host was shut down before the plugin answered; give shutdown a longer grace period, or retry elsewhere"
    )]
    Closed,

    /// Calls were still in flight when the grace period of a shutdown ended; they have failed with
    /// [`Closed`](Self::Closed).
    #[error(
        "{in_flight} calls were still in flight when the grace period ended, and have failed; give shutdown a \
         longer one"
    )]
    ShutdownTimedOut {
        /// How many calls had not been answered.
        in_flight: u64,
    },
}

impl NylonRingHostError {
    /// What opening a call met.
    #[cold]
    pub(crate) fn opening(error: RuntimeError) -> Box<Self> {
        Box::new(match error {
            RuntimeError::Full { limit } => Self::TooManyInFlight { limit },
            RuntimeError::Closed => Self::ShuttingDown,
            other => Self::Runtime(other),
        })
    }

    /// What waiting for a result met.
    #[cold]
    pub(crate) fn waiting(error: RuntimeError) -> Box<Self> {
        Box::new(match error {
            RuntimeError::Overflow { limit } => Self::Overflow { limit },
            RuntimeError::Closed => Self::Closed,
            other => Self::Runtime(other),
        })
    }
}
