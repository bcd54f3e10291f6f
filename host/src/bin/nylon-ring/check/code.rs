//! What can be wrong with a plugin: one code for each, with what to do about it.

use serde::{Deserialize, Serialize};

/// What is wrong. In reports as `second-result`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Code {
    // The file.
    NotALibrary,
    MissingSymbol,
    UnresolvedSymbol,
    LoadFailed,
    // What it says of itself.
    NullInfo,
    InfoChanges,
    AbiVersion,
    StructSize,
    NameInvalid,
    VersionInvalid,
    NullVtable,
    HandleMissing,
    // Its life.
    InitRefused,
    UnknownStatusFromInit,
    Crash,
    Hang,
    // Results.
    Unanswered,
    SecondResult,
    StreamNotEnded,
    FrameAfterEnd,
    ResultAfterRefusal,
    RequestRefused,
    UnknownStatusSent,
    UnknownStatusReturned,
    UnknownSid,
    WrongHostCtx,
    WrongPayload,
    MixedUpAnswers,
    NotThreadSafe,
    NotAnsweredAfterCancel,
    // Memory.
    LateRead,
    WritesRequest,
    ReadsPastEnd,
    WritesState,
    StateAfterEnd,
    TouchesHostCtx,
    BufferNotReturned,
    BufferMisused,
    LeaksMemory,
    // Time.
    HandleBlocks,
    HandleComputes,
    // Extensions.
    BadTable,
    OffersUnknown,
    AnswerChanges,
    BadHealth,
    NeverQuiescent,
    NotQuiescent,
    InstanceFailed,
    // Requests that break the contract.
    TakesBrokenRequest,
}

impl Code {
    /// The code as reports have it.
    pub(crate) fn slug(self) -> String {
        serde_json::to_value(self).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
    }

    /// What to do about it.
    pub(crate) fn next(self) -> &'static str {
        match self {
            Self::NotALibrary => {
                "give the path of a shared library for this machine, built with -shared (cargo: crate-type = [\"cdylib\"])"
            }
            Self::MissingSymbol => {
                "export it as a C function: NR_EXPORT in C, extern \"C\" in C++, `plugin!` in Rust; look at `nm -D`"
            }
            Self::UnresolvedSymbol => {
                "link the library or object file that defines it (-Wl,--no-undefined finds this when you build)"
            }
            Self::LoadFailed => "load it by hand to see more: LD_DEBUG=libs,files",
            Self::NullInfo => "return the address of a static NrPluginInfo from nylon_ring_get_plugin_v1",
            Self::InfoChanges => "return the same static NrPluginInfo each time",
            Self::AbiVersion => "set abi_version to NR_ABI_VERSION, and build against this version's nylon_ring.h",
            Self::StructSize => "set struct_size to sizeof(NrPluginInfo)",
            Self::NameInvalid => "point name to static UTF-8 text, and set its length in bytes",
            Self::VersionInvalid => "point version to static UTF-8 text, and set its length in bytes",
            Self::NullVtable => "point vtable to a static NrPluginVTable",
            Self::HandleMissing => "set vtable->handle: it is the one function that every plugin has",
            Self::InitRefused => "see what the plugin wrote; if it needs a configuration, give it by --config FILE",
            Self::UnknownStatusFromInit => "return NR_STATUS_OK, or one of the other NR_STATUS_ values",
            Self::Crash => {
                "run it in a debugger (gdb: set follow-fork-mode child); a C++ exception or a Rust panic must be caught before it leaves the plugin"
            }
            Self::Hang => {
                "return at once from every function that the host calls; run it in a debugger to see where it waits (gdb: set follow-fork-mode child)"
            }
            Self::Unanswered => {
                "send exactly one result for every call that handle took (returned NR_STATUS_OK for), also when the work fails; if the work takes longer, give --timeout"
            }
            Self::SecondResult => {
                "send one result for a unary call; look for a path that sends and does not return. If this request is a stream, name it by --stream"
            }
            Self::StreamNotEnded => "end each stream by one frame of a status other than NR_STATUS_OK",
            Self::FrameAfterEnd => "send nothing for a stream after its terminal frame",
            Self::ResultAfterRefusal => {
                "either take the call (return NR_STATUS_OK) and send the error as its result, or refuse it and send nothing"
            }
            Self::RequestRefused => {
                "name a request that the plugin takes by --request 'METHOD /path'; errors at run time are sent as results, not returned by handle"
            }
            Self::UnknownStatusSent => "send one of the NR_STATUS_ values, 0 to 4",
            Self::UnknownStatusReturned => "return one of the NR_STATUS_ values, 0 to 4",
            Self::UnknownSid => "send the sid that handle was given, unchanged: it is 64 bits wide and opaque",
            Self::WrongHostCtx => "pass the host_ctx that init was given, unchanged; keep one for each instance",
            Self::WrongPayload => {
                "pass a pointer that is valid until send_result returns, with its true length; NULL only with length 0"
            }
            Self::MixedUpAnswers => "keep what belongs to a call in memory of that call, not in a static",
            Self::NotThreadSafe => {
                "handle is called by several threads at the same time: guard what is shared, and keep what belongs to one call in memory of that call"
            }
            Self::NotAnsweredAfterCancel => {
                "send a terminal result for a cancelled call too: it is dropped, and ends the call"
            }
            Self::LateRead => "copy what you need of the request before handle returns: all of it is gone then",
            Self::WritesRequest => "never write to the request or its body; copy first",
            Self::ReadsPastEnd => {
                "NrStr and NrBytes are not NUL-terminated: read exactly len bytes, and none when len is 0"
            }
            Self::WritesState => "what get_state returns is read-only; store a new value by set_state",
            Self::StateAfterEnd => {
                "what get_state returns is valid until the terminal result is sent; copy what is needed later"
            }
            Self::TouchesHostCtx => "host_ctx is opaque: pass it on, never read, write or free it",
            Self::BufferNotReturned => "give each reserved buffer to commit or release, also when the work fails",
            Self::BufferMisused => {
                "give each buffer back exactly once, with the sid it was reserved for and at most its capacity"
            }
            Self::LeaksMemory => {
                "free what a call allocates when it is answered; valgrind or -fsanitize=address show where"
            }
            Self::HandleBlocks => {
                "hand the work to a thread of the plugin, and return; handle must not sleep, wait or do I/O"
            }
            Self::HandleComputes => "hand long work to a thread of the plugin, and return",
            Self::BadTable => "begin each table with struct_size = sizeof of the table, and set every function",
            Self::OffersUnknown => "compare the whole id, and return NULL for ids that the plugin does not know",
            Self::AnswerChanges => "return the same static table each time",
            Self::BadHealth => {
                "return NR_STATUS_OK or another NR_STATUS_ value, and UTF-8 text that lives until the next check"
            }
            Self::NeverQuiescent => "say 1 once the threads have been joined, or do not offer nylon.quiesce/1",
            Self::NotQuiescent => "join every thread before is_quiescent says 1: the library is unmapped right after",
            Self::InstanceFailed => "let create write a context of its own for each instance, and return NR_STATUS_OK",
            Self::TakesBrokenRequest => {
                "check pointers, lengths and UTF-8 before reading, and answer NR_STATUS_INVALID"
            }
        }
    }
}
