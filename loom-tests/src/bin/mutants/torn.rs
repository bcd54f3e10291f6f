
/// Read-modify-writes in two steps: for mutants alone, see `loom-tests/src/bin/mutants`.
///
/// The load has the acquire half of the ordering and the store its release half, so nothing is lost but the atomicity.
pub(crate) trait Torn {
    type Value: Copy + PartialEq;

    fn torn_load(&self, ordering: Ordering) -> Self::Value;
    fn torn_store(&self, value: Self::Value, ordering: Ordering);

    fn torn_update(&self, ordering: Ordering, f: impl FnOnce(Self::Value) -> Self::Value) -> Self::Value {
        let old = self.torn_load(acquire_half(ordering));
        let new = f(old);
        in_between();
        self.torn_store(new, release_half(ordering));
        old
    }

    fn torn_swap(&self, value: Self::Value, ordering: Ordering) -> Self::Value {
        self.torn_update(ordering, |_| value)
    }

    fn torn_compare_exchange(
        &self,
        current: Self::Value,
        new: Self::Value,
        success: Ordering,
        failure: Ordering,
    ) -> Result<Self::Value, Self::Value> {
        let load = if acquire_half(success) == Ordering::Relaxed { failure } else { acquire_half(success) };
        let old = self.torn_load(load);
        if old != current {
            return Err(old);
        }
        in_between();
        self.torn_store(new, release_half(success));
        Ok(old)
    }

    fn torn_compare_exchange_weak(
        &self,
        current: Self::Value,
        new: Self::Value,
        success: Ordering,
        failure: Ordering,
    ) -> Result<Self::Value, Self::Value> {
        self.torn_compare_exchange(current, new, success, failure)
    }
}

/// Of numbers and flags.
pub(crate) trait TornBits: Torn {
    fn torn_fetch_or(&self, value: Self::Value, ordering: Ordering) -> Self::Value;
    fn torn_fetch_and(&self, value: Self::Value, ordering: Ordering) -> Self::Value;
    fn torn_fetch_xor(&self, value: Self::Value, ordering: Ordering) -> Self::Value;
}

/// Of numbers.
pub(crate) trait TornNumber: Torn {
    fn torn_fetch_add(&self, value: Self::Value, ordering: Ordering) -> Self::Value;
    fn torn_fetch_sub(&self, value: Self::Value, ordering: Ordering) -> Self::Value;
    fn torn_fetch_max(&self, value: Self::Value, ordering: Ordering) -> Self::Value;
    fn torn_fetch_min(&self, value: Self::Value, ordering: Ordering) -> Self::Value;
}

/// Outside of loom, which tries everything, the gap must be wide enough to be hit.
fn in_between() {
    #[cfg(not(nylon_loom))]
    (0..32).for_each(|_| std::hint::spin_loop());
}

fn acquire_half(ordering: Ordering) -> Ordering {
    match ordering {
        Ordering::AcqRel => Ordering::Acquire,
        Ordering::Release => Ordering::Relaxed,
        other => other,
    }
}

fn release_half(ordering: Ordering) -> Ordering {
    match ordering {
        Ordering::AcqRel => Ordering::Release,
        Ordering::Acquire => Ordering::Relaxed,
        other => other,
    }
}

macro_rules! torn {
    ($atomic:ty, $value:ty) => {
        impl Torn for $atomic {
            type Value = $value;

            fn torn_load(&self, ordering: Ordering) -> $value {
                self.load(ordering)
            }

            fn torn_store(&self, value: $value, ordering: Ordering) {
                self.store(value, ordering);
            }
        }

        impl TornBits for $atomic {
            fn torn_fetch_or(&self, value: $value, ordering: Ordering) -> $value {
                self.torn_update(ordering, |old| old | value)
            }

            fn torn_fetch_and(&self, value: $value, ordering: Ordering) -> $value {
                self.torn_update(ordering, |old| old & value)
            }

            fn torn_fetch_xor(&self, value: $value, ordering: Ordering) -> $value {
                self.torn_update(ordering, |old| old ^ value)
            }
        }
    };
}

macro_rules! torn_number {
    ($atomic:ty, $value:ty) => {
        torn!($atomic, $value);

        impl TornNumber for $atomic {
            fn torn_fetch_add(&self, value: $value, ordering: Ordering) -> $value {
                self.torn_update(ordering, |old| old.wrapping_add(value))
            }

            fn torn_fetch_sub(&self, value: $value, ordering: Ordering) -> $value {
                self.torn_update(ordering, |old| old.wrapping_sub(value))
            }

            fn torn_fetch_max(&self, value: $value, ordering: Ordering) -> $value {
                self.torn_update(ordering, |old| old.max(value))
            }

            fn torn_fetch_min(&self, value: $value, ordering: Ordering) -> $value {
                self.torn_update(ordering, |old| old.min(value))
            }
        }
    };
}

torn!(AtomicBool, bool);
torn_number!(AtomicU32, u32);
torn_number!(AtomicU64, u64);
torn_number!(AtomicUsize, usize);
#[cfg(nylon_loom)]
torn_number!(std::sync::atomic::AtomicU64, u64);

impl<T> Torn for AtomicPtr<T> {
    type Value = *mut T;

    fn torn_load(&self, ordering: Ordering) -> *mut T {
        self.load(ordering)
    }

    fn torn_store(&self, value: *mut T, ordering: Ordering) {
        self.store(value, ordering);
    }
}
