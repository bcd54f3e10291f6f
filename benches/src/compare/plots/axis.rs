//! An axis: where a value stands, and which values are written at it.

/// How values are spread.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Scale {
    /// Evenly.
    Linear,
    /// By their logarithms; what is 0 or less stands here.
    Log { zero: f64 },
}

/// One axis. Positions are numbers of no unit, from `from` to `to`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Axis {
    pub(super) title: String,
    scale: Scale,
    pub(super) from: f64,
    pub(super) to: f64,
    /// Positions and what is written there.
    pub(super) ticks: Vec<(f64, String)>,
}

/// The ticks of a decade.
const STEPS: [f64; 3] = [1.0, 2.0, 5.0];

impl Axis {
    /// Logarithmic, with room for all values above 0, and at least from one tick to the next.
    pub(super) fn log(title: &str, values: impl Iterator<Item = f64>) -> Self {
        let (least, most) = bounds(values.filter(|value| *value > 0.0));
        let all: Vec<f64> = (-6..12).flat_map(|decade| STEPS.map(|step| step * 10_f64.powi(decade))).collect();
        let from = all.iter().copied().filter(|tick| *tick <= least).fold(1e-6, f64::max);
        let to = all.iter().copied().filter(|tick| *tick >= most && *tick > from).fold(5e11, f64::min);
        // Over many decades the powers of ten are enough.
        let few = (to / from).log10() > 3.5;
        let wanted =
            |tick: &f64| (from..=to).contains(tick) && (!few || (tick.log10() - tick.log10().round()).abs() < 1e-9);
        let ticks = all.iter().copied().filter(wanted).map(|tick| (tick.log10(), short(tick))).collect();
        let (from, to) = (from.log10(), to.log10());
        Self { title: title.to_owned(), scale: Scale::Log { zero: from }, from, to, ticks }
    }

    /// Logarithmic, with exactly these values written at it; 0 stands to the left of the others.
    pub(super) fn at(title: &str, values: &[f64], label: fn(f64) -> String) -> Self {
        let (least, most) = bounds(values.iter().copied().filter(|value| *value > 0.0));
        let (least, most) = (least.log10(), most.log10());
        let margin = ((most - least) * 0.05).max(0.1);
        let with_zero = values.contains(&0.0);
        let zero = if with_zero { least - margin * 3.0 } else { least };
        let scale = Scale::Log { zero };
        let mut axis =
            Self { title: title.to_owned(), scale, from: zero - margin, to: most + margin, ticks: Vec::new() };
        axis.ticks = values.iter().map(|&value| (axis.position(value), label(value))).collect();
        axis
    }

    /// Linear from 0 on, with room for all values.
    pub(super) fn from_zero(title: &str, values: impl Iterator<Item = f64>) -> Self {
        let most = bounds(values).1;
        let decade = 10_f64.powf(most.log10().floor());
        let step = [0.1, 0.2, 0.5, 1.0, 2.0].map(|step| step * decade).into_iter().find(|step| most / step <= 8.0);
        let step = step.unwrap_or(decade);
        let steps = (most / step).ceil().max(1.0);
        let ticks = (0..=steps as u32).map(|i| f64::from(i) * step).map(|tick| (tick, short(tick))).collect();
        Self { title: title.to_owned(), scale: Scale::Linear, from: 0.0, to: steps * step, ticks }
    }

    /// Nines: 0 is nothing, 1 is 90 %, 2 is 99 %.
    pub(super) fn nines(title: &str, most: f64) -> Self {
        let names = ["0", "90%", "99%", "99.9%", "99.99%", "99.999%", "99.9999%"];
        let ticks = names.iter().enumerate().map(|(nines, name)| (nines as f64, (*name).to_owned()));
        let ticks = ticks.filter(|(nines, _)| *nines <= most.max(1.0)).collect();
        Self { title: title.to_owned(), scale: Scale::Linear, from: 0.0, to: most.max(1.0), ticks }
    }

    /// Where a value stands; at the end if it is beyond.
    pub(super) fn position(&self, value: f64) -> f64 {
        let position = match self.scale {
            Scale::Linear => value,
            Scale::Log { zero } if value <= 0.0 => zero,
            Scale::Log { .. } => value.log10(),
        };
        position.clamp(self.from, self.to)
    }
}

/// The least and the greatest of them; 1 and 1 if there are none.
fn bounds(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let all = values.fold(None, |bounds: Option<(f64, f64)>, value| {
        Some(bounds.map_or((value, value), |(least, most)| (least.min(value), most.max(value))))
    });
    all.unwrap_or((1.0, 1.0))
}

/// `1M`, `50k`, `1024`, `0.2`.
pub(super) fn short(value: f64) -> String {
    match value {
        value if value >= 1e9 => format!("{}G", rounded(value / 1e9)),
        value if value >= 1e6 => format!("{}M", rounded(value / 1e6)),
        value if value >= 1e4 => format!("{}k", rounded(value / 1e3)),
        value => rounded(value).to_string(),
    }
}

/// `1 MiB`, `64 KiB`, `40 B`.
pub(super) fn bytes(value: f64) -> String {
    const KI: f64 = 1024.0;
    match value {
        value if value >= KI * KI => format!("{} MiB", rounded(value / KI / KI)),
        value if value >= KI => format!("{} KiB", rounded(value / KI)),
        value => format!("{} B", rounded(value)),
    }
}

/// Without the digits that come from binary fractions; at most one behind the point from 10 on.
fn rounded(value: f64) -> f64 {
    let digits = if value < 10.0 { 1e6 } else { 10.0 };
    (value * digits).round() / digits
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|(_, label)| label.as_str()).collect()
    }

    #[test]
    fn a_logarithmic_axis_reaches_around_its_values() {
        let axis = Axis::log("ns", [30.0, 420.0].into_iter());
        assert_eq!(labels(&axis), ["20", "50", "100", "200", "500"]);
        assert!((axis.position(100.0) - 2.0).abs() < 1e-9);
        assert_eq!(axis.position(1e9), axis.to);
        assert_eq!(axis.position(0.0), axis.from);
        assert_eq!(labels(&Axis::log("ns", [1.0, 1e6].into_iter())), ["1", "10", "100", "1000", "10k", "100k", "1M"]);
    }

    #[test]
    fn nothing_to_show_is_an_axis_all_the_same() {
        for axis in [Axis::log("ns", [].into_iter()), Axis::at("x", &[], short), Axis::from_zero("x", [].into_iter())] {
            assert!(axis.from < axis.to, "{axis:?}");
        }
    }

    #[test]
    fn zero_stands_to_the_left() {
        let axis = Axis::at("B", &[0.0, 40.0, 1024.0], bytes);
        assert_eq!(labels(&axis), ["0 B", "40 B", "1 KiB"]);
        assert!(axis.from < axis.position(0.0) && axis.position(0.0) < axis.position(40.0));
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!([0.2, 1024.0, 65_536.0, 1e6, 2.5e9].map(short), ["0.2", "1024", "65.5k", "1M", "2.5G"]);
        assert_eq!([0.0, 128.0, 4096.0, 1_048_576.0].map(bytes), ["0 B", "128 B", "4 KiB", "1 MiB"]);
    }

    #[test]
    fn a_linear_axis_has_round_ticks() {
        assert_eq!(
            labels(&Axis::from_zero("M/s", [3.4].into_iter())),
            ["0", "0.5", "1", "1.5", "2", "2.5", "3", "3.5"]
        );
    }
}
