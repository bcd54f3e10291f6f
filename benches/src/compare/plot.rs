//! The ratios as a picture: one bar a pair, on a logarithmic scale, with the spread and the goal.

use std::fmt::Write as _;

use super::{Goal, Pair, Report, Row};

const LABELS: f64 = 520.0;
const CHART: f64 = 480.0;
const BAR: f64 = 20.0;
const TOP: f64 = 64.0;
/// The scale's ends: ratios beyond them are drawn at the edge.
const LEAST: f64 = 0.01;
const MOST: f64 = 10.0;

/// Where a ratio is drawn.
fn x(ratio: f64) -> f64 {
    let ratio = if ratio.is_nan() { 1.0 } else { ratio.clamp(LEAST, MOST) };
    LABELS + CHART * (ratio / LEAST).ln() / (MOST / LEAST).ln()
}

impl Report {
    /// The picture, as SVG.
    pub(super) fn plot(&self) -> String {
        let pairs = || self.rows.iter().flat_map(|row| row.pairs.iter().map(move |pair| (row, pair)));
        let bottom = TOP + BAR * pairs().count() as f64;
        let (width, height) = (LABELS + CHART + 90.0, bottom + 30.0);
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
             height=\"{height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
             <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n\
             <text x=\"12\" y=\"24\" font-size=\"16\">Ratio to the reference: less is better</text>\n\
             <text x=\"12\" y=\"44\" fill=\"#666\">bar: median; line: all turns; red mark: goal; {}, {} threads</text>\n",
            escape(&self.machine.cpu),
            self.machine.cores,
        );
        for tick in [0.01, 0.1, 0.5, 1.0, 2.0, 10.0] {
            let (x, colour) = (x(tick), if tick == 1.0 { "#000" } else { "#ddd" });
            // Writing to a String cannot fail, here and below.
            let _ = writeln!(
                svg,
                "<path d=\"M{x:.1} {TOP}V{bottom}\" stroke=\"{colour}\"/>\
                 <text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{tick}</text>",
                bottom + 16.0
            );
        }
        for (i, (row, pair)) in pairs().enumerate() {
            bar(&mut svg, TOP + BAR * i as f64, row, pair);
        }
        svg += "</svg>\n";
        svg
    }
}

/// One pair, from `y` on.
fn bar(svg: &mut String, y: f64, row: &Row, pair: &Pair) {
    let (middle, text) = (y + BAR / 2.0, y + BAR / 2.0 + 4.0);
    let ratio = &pair.ratio;
    let (end, one) = (x(ratio.median), x(1.0));
    let colour = if ratio.median <= 1.0 { "#4c8" } else { "#e95" };
    let _ = writeln!(
        svg,
        "<text x=\"{:.1}\" y=\"{text:.1}\" text-anchor=\"end\">{} <tspan fill=\"#666\">{}</tspan></text>\
         <rect x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"{colour}\"/>\
         <path d=\"M{:.1} {middle:.1}H{:.1}\" stroke=\"#000\"/>\
         <text x=\"{:.1}\" y=\"{text:.1}\">{:.3}</text>",
        LABELS - 8.0,
        escape(row.label),
        escape(ratio.contender),
        end.min(one),
        y + 3.0,
        (end - one).abs(),
        BAR - 6.0,
        x(ratio.min),
        x(ratio.max),
        LABELS + CHART + 12.0,
        ratio.median,
    );
    if let (Some(Goal::Ratio(goal)), Some(_)) = (row.goal, pair.goal_reached) {
        let _ = writeln!(
            svg,
            "<path d=\"M{:.1} {:.1}V{:.1}\" stroke=\"#c00\" stroke-width=\"2\"/>",
            x(goal),
            y + 1.0,
            y + BAR - 1.0
        );
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
