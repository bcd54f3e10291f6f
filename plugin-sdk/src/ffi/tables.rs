//! The tables of the host's extensions, each read and checked once: what is here has all its functions.

use std::ffi::{CStr, c_void};

use nylon_ring::{
    EXT_BUFFER, EXT_CANCEL, EXT_CONFIG, EXT_DEADLINE, EXT_LOG, EXT_STATE, EXT_STREAM, NrBuffer, NrBufferExt, NrBytes,
    NrCallback, NrCancelExt, NrConfigExt, NrDeadlineExt, NrHostExt, NrLogExt, NrStr, NrStreamExt,
};

use super::Api;

/// Has a callback called: `on_writable`, `on_cancel`.
pub(super) type Register = unsafe extern "C" fn(*mut c_void, u64, Option<NrCallback>, *mut c_void) -> u32;

/// A table that begins with its own size.
///
/// # Safety
///
/// The type is `repr(C)`, begins with a `u32`, and has no other fields than integers and functions that may be null.
unsafe trait Sized32: Copy + 'static {
    const ID: &'static CStr;
}

/// Says so of each table that is used here.
macro_rules! sized {
    ($($table:ty: $id:ident),+ $(,)?) => {
        $(
            // SAFETY: `nylon_ring` declares it so.
            unsafe impl Sized32 for $table {
                const ID: &'static CStr = $id;
            }
        )+
    };
}

sized! {
    NrLogExt: EXT_LOG,
    NrStreamExt: EXT_STREAM,
    NrCancelExt: EXT_CANCEL,
    NrDeadlineExt: EXT_DEADLINE,
    NrConfigExt: EXT_CONFIG,
    NrBufferExt: EXT_BUFFER,
}

/// A copy of the table; `None` if it is not offered, or smaller than it should be.
fn table<T: Sized32>(api: &Api) -> Option<T> {
    let table = api.extension(T::ID).cast::<T>();
    if !table.is_aligned() {
        return None;
    }
    // SAFETY: F3, and it is aligned; each of these tables begins with its size, which may be too small for the rest.
    let size = unsafe { table.cast::<u32>().as_ref() }?;
    if (*size as usize) < size_of::<T>() {
        return None;
    }
    // SAFETY: F3; aligned, and as large as the type.
    unsafe { table.as_ref() }.copied()
}

#[derive(Debug, Clone, Copy)]
pub(super) struct State {
    pub(super) set: unsafe extern "C" fn(*mut c_void, u64, NrStr, NrBytes) -> NrBytes,
    pub(super) get: unsafe extern "C" fn(*mut c_void, u64, NrStr) -> NrBytes,
}

impl State {
    fn find(api: &Api) -> Option<Self> {
        /// [`NrHostExt`], in which a broken host could have left a function null.
        #[repr(C)]
        struct Nullable {
            set: Option<unsafe extern "C" fn(*mut c_void, u64, NrStr, NrBytes) -> NrBytes>,
            get: Option<unsafe extern "C" fn(*mut c_void, u64, NrStr) -> NrBytes>,
        }
        let table = api.extension(EXT_STATE).cast::<NrHostExt>();
        if !table.is_aligned() {
            return None;
        }
        // SAFETY: F3, and it is aligned; the layout is that of `NrHostExt`, but for functions that may be null.
        let table = unsafe { table.cast::<Nullable>().as_ref() }?;
        Some(Self { set: table.set?, get: table.get? })
    }
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Log {
    pub(super) enabled: unsafe extern "C" fn(*mut c_void, u32) -> u32,
    pub(super) log: unsafe extern "C" fn(*mut c_void, u64, u32, NrStr, NrStr),
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Stream {
    pub(super) try_send: unsafe extern "C" fn(*mut c_void, u64, NrBytes) -> u32,
    pub(super) on_writable: Register,
    pub(super) credits: unsafe extern "C" fn(*mut c_void, u64) -> u64,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Cancel {
    pub(super) is_cancelled: unsafe extern "C" fn(*mut c_void, u64) -> u32,
    pub(super) on_cancel: Register,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Buffer {
    pub(super) reserve: unsafe extern "C" fn(*mut c_void, u64, u64) -> NrBuffer,
    pub(super) commit: unsafe extern "C" fn(*mut c_void, u64, u32, NrBuffer, u64),
    pub(super) release: unsafe extern "C" fn(*mut c_void, NrBuffer),
}

/// All that the host offers, and its context.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tables {
    pub(super) host_ctx: *mut c_void,
    pub(super) state: Option<State>,
    pub(super) log: Option<Log>,
    pub(super) stream: Option<Stream>,
    pub(super) cancel: Option<Cancel>,
    pub(super) remaining: Option<unsafe extern "C" fn(*mut c_void, u64) -> u64>,
    pub(super) config: Option<unsafe extern "C" fn(*mut c_void) -> NrBytes>,
    pub(super) buffer: Option<Buffer>,
}

impl Tables {
    pub(super) fn find(api: &Api) -> Self {
        Self {
            host_ctx: api.host_ctx,
            state: State::find(api),
            log: table::<NrLogExt>(api).and_then(|log| Some(Log { enabled: log.enabled?, log: log.log? })),
            stream: table::<NrStreamExt>(api).and_then(|stream| {
                let (try_send, on_writable, credits) = (stream.try_send?, stream.on_writable?, stream.credits?);
                Some(Stream { try_send, on_writable, credits })
            }),
            cancel: table::<NrCancelExt>(api)
                .and_then(|cancel| Some(Cancel { is_cancelled: cancel.is_cancelled?, on_cancel: cancel.on_cancel? })),
            remaining: table::<NrDeadlineExt>(api).and_then(|deadline| deadline.remaining),
            config: table::<NrConfigExt>(api).and_then(|config| config.get),
            buffer: table::<NrBufferExt>(api).and_then(|buffer| {
                let (reserve, commit, release) = (buffer.reserve?, buffer.commit?, buffer.release?);
                Some(Buffer { reserve, commit, release })
            }),
        }
    }
}
