//! What the plugin offers to the host.

use std::{ffi::CStr, ptr};

use nylon_ring::{
    EXT_HEALTH, EXT_INSTANCE, EXT_QUIESCE, NrBytes, NrHealthExt, NrInstanceExt, NrQuiesceExt, NrStatus, NrStr,
};

use super::{life::quiescence, load::call_each};
use crate::check::{
    code::Code,
    harness::{self, Stop, host, plugin::Plugin},
    report,
    spec::Order,
};

/// Ids that no plugin can know.
const UNKNOWN: [&CStr; 7] =
    [c"", c"nylon.quiesce", c"nylon.quiesce/", c"nylon.quiesce/999", c"nylon.health/1 ", c"\xff\xfe", c"%s%n"];

/// The known ids, with the size of the table and the number of its functions.
pub(crate) const KNOWN: [(&CStr, usize, usize); 3] = [
    (EXT_INSTANCE, size_of::<NrInstanceExt>(), 2),
    (EXT_QUIESCE, size_of::<NrQuiesceExt>(), 1),
    (EXT_HEALTH, size_of::<NrHealthExt>(), 1),
];

/// The tables that it offers are whole.
pub(crate) fn tables(order: &Order) -> Result<(), Stop> {
    let plugin = Plugin::load(&order.plugin)?;
    plugin.start()?;
    report::phase("nylon_ring_get_extension_v1");
    let mut offered = Vec::new();
    for (id, size, functions) in KNOWN {
        let table = plugin.extension(id);
        if plugin.extension(id) != table {
            report::finding(Code::AnswerChanges, format!("{id:?} is answered with another table the second time"));
        }
        if table.is_null() {
            continue;
        }
        offered.push(id.to_string_lossy());
        // SAFETY: each table begins with its size.
        let found = unsafe { table.cast::<u32>().read_unaligned() };
        if (found as usize) < size {
            report::finding(
                Code::BadTable,
                format!("the table of {id:?} says it has {found} bytes, it must have {size}"),
            );
            continue;
        }
        for n in 0..functions {
            // SAFETY: the table has its size, and its functions come after the first eight bytes.
            let function = unsafe { table.cast::<usize>().wrapping_add(1 + n).read_unaligned() };
            if function == 0 {
                report::finding(Code::BadTable, format!("function {} of the table of {id:?} is NULL", n + 1));
            }
        }
    }
    let long = std::ffi::CString::new(vec![b'n'; 100_000]).unwrap_or_default();
    for id in UNKNOWN.into_iter().chain([long.as_c_str()]) {
        if !plugin.extension(id).is_null() {
            let id: String = id.to_string_lossy().chars().take(40).collect();
            report::finding(Code::OffersUnknown, format!("it offers {id:?}, which it cannot know"));
        }
    }
    report::note(if offered.is_empty() { "none offered".to_owned() } else { offered.join(", ") });
    plugin.stop();
    Ok(())
}

/// A table that the plugin offers, if it is whole.
pub(crate) fn table<T: Copy>(plugin: &Plugin, id: &CStr) -> Option<T> {
    let table = plugin.extension(id);
    if table.is_null() {
        return None;
    }
    // SAFETY: each table begins with its size.
    let size = unsafe { table.cast::<u32>().read_unaligned() };
    // SAFETY: it has its size, and each of its fields is valid for any bits.
    (size as usize >= size_of::<T>()).then(|| unsafe { table.cast::<T>().read_unaligned() })
}

/// Its health can be asked for.
pub(crate) fn health(order: &Order) -> Result<(), Stop> {
    let plugin = Plugin::load(&order.plugin)?;
    let Some(check) = table::<NrHealthExt>(&plugin, EXT_HEALTH).and_then(|table| table.check) else {
        report::not_applicable("it does not offer nylon.health/1");
        return Ok(());
    };
    plugin.start()?;
    call_each(&plugin, order)?;
    for _ in 0..3 {
        report::phase("health check");
        let mut detail = NrStr { ptr: ptr::null(), len: 0 };
        // SAFETY: in the phase that is right for it; the text is written to a place that lives longer than the call.
        let raw = unsafe { check(plugin.ctx, &raw mut detail) };
        let Some(status) = NrStatus::from_raw(raw) else {
            return Err(Stop::found(Code::BadHealth, format!("it returned {raw}, which the ABI does not name")));
        };
        let text = host::read(NrBytes { ptr: detail.ptr, len: u64::from(detail.len) })
            .and_then(|bytes| String::from_utf8(bytes).map_err(|_| "text that is not UTF-8".to_owned()))
            .map_err(|what| Stop::found(Code::BadHealth, format!("its detail is {what}")))?;
        report::note(format!("{status} {text}").trim().to_owned());
    }
    plugin.stop();
    Ok(())
}

/// Its instances are independent.
pub(crate) fn instances(order: &Order) -> Result<(), Stop> {
    let first = Plugin::load(&order.plugin)?;
    let Some(table) = table::<NrInstanceExt>(&first, EXT_INSTANCE) else {
        report::not_applicable("it does not offer nylon.instance/1");
        return Ok(());
    };
    let (Some(create), Some(destroy)) = (table.create, table.destroy) else { return Ok(()) };
    first.start()?;
    let mut instances = Vec::new();
    for _ in 0..2 {
        report::phase("creating an instance");
        let mut ctx = ptr::null_mut();
        // SAFETY: after the info was read; the context is written to a place that lives longer than the call.
        let raw = unsafe { create(first.ctx, &raw mut ctx) };
        if raw != NrStatus::Ok.as_raw() {
            return Err(Stop::found(Code::InstanceFailed, format!("create returned {raw}")));
        }
        let instance = first.instance(ctx)?;
        instance.start()?;
        instances.push(instance);
    }
    call_each(&first, order)?;
    for instance in &instances {
        call_each(instance, order)?;
    }
    for instance in &instances {
        instance.stop();
        if quiescence(instance).is_some_and(|asked| asked() == 1) {
            report::phase("destroying an instance");
            // SAFETY: after `shutdown`, and its threads have stopped.
            unsafe { destroy(first.ctx, instance.ctx) };
        }
        call_each(&first, order)?;
    }
    first.stop();
    harness::wait_for_quiet();
    harness::report_broken();
    Ok(())
}
