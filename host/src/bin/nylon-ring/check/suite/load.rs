//! Loading and starting.

use nylon_ring::NrStatus;

use crate::check::{
    harness::{self, Stop, plugin::Plugin, tables},
    report,
    spec::Order,
};

/// The library loads, and says what it is.
pub(crate) fn load(order: &Order) -> Result<(), Stop> {
    let plugin = Plugin::load(&order.plugin)?;
    report::note(format!("{} {}", plugin.name, plugin.version));
    Ok(())
}

/// It starts, and stops without a call.
pub(crate) fn start(order: &Order) -> Result<(), Stop> {
    let plugin = Plugin::load(&order.plugin)?;
    plugin.start()?;
    plugin.stop();
    harness::wait_for_quiet();
    harness::report_broken();
    Ok(())
}

/// `init` a second time: it may refuse, and must not crash.
pub(crate) fn second_init(order: &Order) -> Result<(), Stop> {
    let first = Plugin::load(&order.plugin)?;
    first.start()?;
    let second = Plugin::load(&order.plugin)?;
    let status = second.try_start();
    report::note(format!("the second init returned {status}"));
    let plugin = if status == NrStatus::Ok { &second } else { &first };
    call_each(plugin, order)?;
    // Which host the results of a library go to that is loaded twice in place is not said by the contract.
    plugin.stop();
    Ok(())
}

/// A host may offer no extensions: the plugin does without, or refuses to start.
pub(crate) fn no_extensions(order: &Order) -> Result<(), Stop> {
    tables::offer_nothing();
    let plugin = Plugin::load(&order.plugin)?;
    let status = plugin.try_start();
    if status != NrStatus::Ok {
        report::note(format!("it refuses to start without them: {status}"));
        return Ok(());
    }
    call_each(&plugin, order)?;
    plugin.stop();
    harness::report_broken();
    Ok(())
}

/// One call of each kind.
pub(crate) fn call_each(plugin: &Plugin, order: &Order) -> Result<bool, Stop> {
    let calls: Vec<_> = order.specs.iter().enumerate().map(|(n, spec)| (spec, spec.marked(n))).collect();
    harness::make_all(plugin, &calls, order.timeout)
}
