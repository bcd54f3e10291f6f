//! The ratios as a picture: one bar a row, on a logarithmic scale, with the spread and the goal.

use plotters::{
    prelude::*,
    style::text_anchor::{HPos, VPos},
};

use super::{
    Report, Row, Section,
    panel::{Area, GREY, failed, style},
};
use crate::{
    BenchError,
    compare::{Goal, Standing, goal::BASELINE},
};

const LABELS: i32 = 350;
const CHART: i32 = 470;
const VERDICTS: i32 = 210;
const BAR: i32 = 22;
const TOP: i32 = 66;
/// The scale's ends: ratios beyond them are drawn at the edge.
const LEAST: f64 = 0.01;
const MOST: f64 = 10.0;
const GOAL: RGBColor = RGBColor(200, 0, 0);

/// Where a ratio is drawn.
fn x(ratio: f64) -> i32 {
    let share = (ratio.clamp(LEAST, MOST) / LEAST).ln() / (MOST / LEAST).ln();
    LABELS + (f64::from(CHART) * share) as i32
}

/// The picture, as SVG.
pub(super) fn draw(report: &Report) -> Result<String, BenchError> {
    let rows: Vec<_> = report.section(Section::Rows).filter_map(|row| Some((row, row.standing.as_ref()?))).collect();
    let bottom = TOP + BAR * rows.len() as i32;
    let mut svg = String::new();
    let size = ((LABELS + CHART + VERDICTS) as u32, (bottom + 34) as u32);
    let root = SVGBackend::with_string(&mut svg, size).into_drawing_area();
    root.fill(&WHITE).map_err(failed)?;
    let title = "The ring's figure for each of the better reference's: less is better";
    text(&root, title, (12, 12), 18, BLACK, HPos::Left)?;
    let machine = &report.machine;
    let key = format!(
        "bar: median; black line: all turns; circle: to {BASELINE} alone; red: goal; {}, {} threads",
        machine.cpu, machine.cores
    );
    text(&root, &key, (12, 40), 12, GREY, HPos::Left)?;
    for tick in [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0] {
        let colour = if tick == 1.0 { BLACK } else { RGBColor(225, 225, 225) };
        line(&root, (x(tick), TOP), (x(tick), bottom), colour, 1)?;
        text(&root, &tick.to_string(), (x(tick), bottom + 8), 12, GREY, HPos::Center)?;
    }
    for (i, (row, standing)) in rows.iter().enumerate() {
        bar(&root, TOP + BAR * i as i32, row, standing)?;
    }
    root.present().map_err(failed)?;
    drop(root);
    Ok(svg)
}

/// One row, from `y` on.
fn bar(root: &Area<'_>, y: i32, row: &Row, standing: &Standing) -> Result<(), BenchError> {
    let (middle, ratio) = (y + BAR / 2, &standing.better);
    text(root, &row.label, (LABELS - 10, middle - 6), 12, BLACK, HPos::Right)?;
    let colour = if ratio.median <= 1.0 { RGBColor(90, 190, 130) } else { RGBColor(235, 150, 80) };
    let bar = Rectangle::new([(x(ratio.median), y + 4), (x(1.0), y + BAR - 4)], colour.filled());
    root.draw(&bar).map_err(failed)?;
    line(root, (x(ratio.min), middle), (x(ratio.max), middle), BLACK, 1)?;
    if let Some(baseline) = &standing.baseline {
        root.draw(&Circle::new((x(baseline.median), middle), 4, BLACK.stroke_width(1))).map_err(failed)?;
    }
    if let Some(Goal::Better(share) | Goal::Baseline(share)) = row.goal {
        line(root, (x(share), y + 1), (x(share), y + BAR - 1), GOAL, 3)?;
    }
    let against = match row.goal {
        Some(Goal::Baseline(_)) => format!(" of {BASELINE}"),
        _ => String::new(),
    };
    let goal = match standing.goal_reached {
        Some(true) => format!("  goal{against} reached"),
        Some(false) => format!("  goal{against} missed"),
        None => String::new(),
    };
    let colour = if standing.goal_reached == Some(false) { GOAL } else { BLACK };
    text(root, &format!("{:.3}{goal}", ratio.median), (LABELS + CHART + 12, middle - 6), 12, colour, HPos::Left)
}

fn line(root: &Area<'_>, from: (i32, i32), to: (i32, i32), colour: RGBColor, width: u32) -> Result<(), BenchError> {
    root.draw(&PathElement::new(vec![from, to], colour.stroke_width(width))).map_err(failed)
}

fn text(root: &Area<'_>, text: &str, at: (i32, i32), size: i32, colour: RGBColor, h: HPos) -> Result<(), BenchError> {
    root.draw(&Text::new(text.to_owned(), at, style(size, colour, h, VPos::Top))).map_err(failed)
}
