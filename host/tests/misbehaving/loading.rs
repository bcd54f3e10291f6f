//! Plugins that are wrong before the first call (`examples/c/misloading.c`).

use std::collections::HashSet;

use nylon_ring_artifacts::{c_plugin, c_source};
use nylon_ring_host::{NrStatus, NylonRingHost, NylonRingHostError};

use crate::{common, rig::view};

fn load(misload: u32, in_place: bool) -> Result<NylonRingHost, NylonRingHostError> {
    let defines = [("MISLOAD", Some(&*misload.to_string()))];
    let plugin = c_plugin(&c_source("misloading"), &defines).unwrap();
    NylonRingHost::builder().load_in_place(in_place).load(plugin)
}

/// What `MISLOAD` stands for, and a word that the error must have.
const MISLOADS: [(u32, &str); 13] = [
    (1, "null"),
    (2, "version 0"),
    (3, "version 2"),
    (4, "55"),
    (5, "name"),
    (6, "name"),
    (7, "version"),
    (8, "vtable"),
    (9, "handle"),
    (10, "init"),
    (11, "4294967295"),
    (12, "nylon_ring_get_plugin_v1"),
    (13, "misloading_function_that_is_nowhere"),
];

#[test]
fn every_way_of_misloading_has_its_own_error() {
    for in_place in [false, true] {
        let mut errors = HashSet::new();
        for (misload, wanted) in MISLOADS {
            let error = load(misload, in_place).err().map(|e| e.to_string());
            let error = error.unwrap_or_else(|| panic!("{misload} was loaded"));
            assert!(error.contains(wanted), "{misload}: {error}");
            errors.insert(error);
        }
        assert_eq!(errors.len(), MISLOADS.len(), "{errors:?}");
    }
}

#[test]
fn what_is_only_unusual_loads() {
    common::current_thread("unusual", || async {
        for misload in [0, 15, 16] {
            let host = load(misload, false).unwrap();
            assert_eq!((host.name(), host.version()), ("misloading", "0.1.0"));
            let (status, payload) = host.call_view(view("/", "", b"body")).await.unwrap();
            assert_eq!((status, &*payload), (NrStatus::Ok, &b"body"[..]));
            let m = host.metrics();
            assert_eq!(m.unknown_sid, if misload == 15 { 1000 } else { 0 });
        }
        let bare = load(14, false).unwrap();
        assert_eq!(bare.name(), "");
        let refused = bare.call_view(view("/", "", b"body")).await;
        assert!(refused.err().unwrap().to_string().contains("refused"));
        bare.shutdown(common::LIMIT).await.unwrap();
    });
}
