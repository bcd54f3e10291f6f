//! Layout assertions: size, alignment, and offset and size of every field, at compile time.
//!
//! The figures are those of the ABI; the C header asserts the same ones. `tests/layout.rs` compares what a C compiler
//! makes of the header with what Rust makes of these types.

use core::mem::offset_of;

use crate::{
    NR_ABI_VERSION, NrBuffer, NrBufferExt, NrBytes, NrCancelExt, NrConfigExt, NrDeadlineExt, NrHeader, NrHealthExt,
    NrHostApi, NrHostExt, NrHostVTable, NrInstanceExt, NrLogExt, NrPluginInfo, NrPluginVTable, NrQuiesceExt, NrRequest,
    NrStatus, NrStr, NrStreamExt,
};

#[cfg(not(all(target_pointer_width = "64", target_endian = "little")))]
compile_error!("the nylon-ring ABI is defined for 64-bit little-endian targets only");

/// The size of the field that `_field` reaches.
const fn field_size<S, F>(_field: fn(&S) -> &F) -> usize {
    size_of::<F>()
}

/// `Type: size, align { field: offset, size; … }`, where the pattern must name every field.
macro_rules! layout {
    ($($type:ident: $size:literal, $align:literal { $($field:ident: $offset:literal, $field_size:literal;)+ })+) => {$(
        const _: () = {
            assert!(size_of::<$type>() == $size, concat!(stringify!($type), ": size"));
            assert!(align_of::<$type>() == $align, concat!(stringify!($type), ": alignment"));
            $(
                assert!(
                    offset_of!($type, $field) == $offset,
                    concat!(stringify!($type), ".", stringify!($field), ": offset"),
                );
                assert!(
                    field_size(|all: &$type| &all.$field) == $field_size,
                    concat!(stringify!($type), ".", stringify!($field), ": size"),
                );
            )+
            // Fails to compile if a field is missing above.
            const fn _every_field_is_named(all: &$type) {
                let $type { $($field: _),+ } = all;
            }
        };
    )+};
}

layout! {
    NrStr: 16, 8 {
        ptr: 0, 8;
        len: 8, 4;
    }
    NrBytes: 16, 8 {
        ptr: 0, 8;
        len: 8, 8;
    }
    NrHeader: 32, 8 {
        key: 0, 16;
        value: 16, 16;
    }
    NrRequest: 72, 8 {
        path: 0, 16;
        method: 16, 16;
        query: 32, 16;
        headers: 48, 8;
        headers_len: 56, 4;
        _reserved0: 60, 4;
        _reserved1: 64, 8;
    }
    NrHostVTable: 8, 8 {
        send_result: 0, 8;
    }
    NrPluginVTable: 24, 8 {
        init: 0, 8;
        handle: 8, 8;
        shutdown: 16, 8;
    }
    NrPluginInfo: 56, 8 {
        abi_version: 0, 4;
        struct_size: 4, 4;
        name: 8, 16;
        version: 24, 16;
        plugin_ctx: 40, 8;
        vtable: 48, 8;
    }
    NrHostExt: 16, 8 {
        set_state: 0, 8;
        get_state: 8, 8;
    }
    NrHostApi: 24, 8 {
        struct_size: 0, 4;
        flags: 4, 4;
        host_ctx: 8, 8;
        get_extension: 16, 8;
    }
    NrLogExt: 24, 8 {
        struct_size: 0, 4;
        _reserved0: 4, 4;
        enabled: 8, 8;
        log: 16, 8;
    }
    NrStreamExt: 32, 8 {
        struct_size: 0, 4;
        _reserved0: 4, 4;
        try_send: 8, 8;
        on_writable: 16, 8;
        credits: 24, 8;
    }
    NrCancelExt: 24, 8 {
        struct_size: 0, 4;
        _reserved0: 4, 4;
        is_cancelled: 8, 8;
        on_cancel: 16, 8;
    }
    NrDeadlineExt: 16, 8 {
        struct_size: 0, 4;
        _reserved0: 4, 4;
        remaining: 8, 8;
    }
    NrConfigExt: 16, 8 {
        struct_size: 0, 4;
        _reserved0: 4, 4;
        get: 8, 8;
    }
    NrBuffer: 24, 8 {
        ptr: 0, 8;
        capacity: 8, 8;
        _lease: 16, 8;
    }
    NrBufferExt: 32, 8 {
        struct_size: 0, 4;
        _reserved0: 4, 4;
        reserve: 8, 8;
        commit: 16, 8;
        release: 24, 8;
    }
    NrInstanceExt: 24, 8 {
        struct_size: 0, 4;
        _reserved0: 4, 4;
        create: 8, 8;
        destroy: 16, 8;
    }
    NrQuiesceExt: 16, 8 {
        struct_size: 0, 4;
        _reserved0: 4, 4;
        is_quiescent: 8, 8;
    }
    NrHealthExt: 16, 8 {
        struct_size: 0, 4;
        _reserved0: 4, 4;
        check: 8, 8;
    }
}

const _: () = {
    assert!(NR_ABI_VERSION == 1);
    assert!(size_of::<NrStatus>() == 4);
    assert!(align_of::<NrStatus>() == 4);
    assert!(NrStatus::Ok as u32 == 0);
    assert!(NrStatus::Err as u32 == 1);
    assert!(NrStatus::Invalid as u32 == 2);
    assert!(NrStatus::Unsupported as u32 == 3);
    assert!(NrStatus::StreamEnd as u32 == 4);
};
