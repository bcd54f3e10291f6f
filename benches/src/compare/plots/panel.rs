//! Panels: lines over two axes, side by side, with one legend to their right.

use std::fmt::Display;

use plotters::{
    coord::Shift,
    prelude::*,
    style::text_anchor::{HPos, Pos, VPos},
};

use super::axis::Axis;
use crate::BenchError;

/// One line.
#[derive(Debug, Clone)]
pub(super) struct Series {
    pub(super) name: String,
    pub(super) points: Vec<Point>,
}

/// One point; the least and the greatest are drawn as a bar.
#[derive(Debug, Clone, Copy)]
pub(super) struct Point {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) min: f64,
    pub(super) max: f64,
}

/// Lines over two axes.
#[derive(Debug, Clone)]
pub(super) struct Panel {
    pub(super) title: String,
    pub(super) x: Axis,
    pub(super) y: Axis,
    pub(super) series: Vec<Series>,
    /// Whether each point has a mark and a bar; a curve of many has not.
    pub(super) marks: bool,
}

pub(super) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

pub(super) fn failed(error: impl Display) -> BenchError {
    BenchError::Plot(error.to_string())
}

/// Text of a size, in black or grey, placed by its middle or an end.
pub(super) fn style(size: i32, colour: RGBColor, h: HPos, v: VPos) -> TextStyle<'static> {
    ("sans-serif", size).into_font().color(&colour).pos(Pos::new(h, v))
}

pub(super) const GREY: RGBColor = RGBColor(110, 110, 110);
const LIGHT: RGBColor = RGBColor(225, 225, 225);
const PANEL: (u32, u32) = (470, 360);
const LEGEND: u32 = 200;
const TITLE: u32 = 40;

/// The colour of a line: the same contender has the same one in all plots.
fn colour(name: &str, others: usize) -> RGBColor {
    const OTHERS: [RGBColor; 11] = [
        RGBColor(230, 171, 2),
        RGBColor(102, 166, 30),
        RGBColor(231, 41, 138),
        RGBColor(150, 90, 20),
        RGBColor(90, 90, 90),
        RGBColor(0, 170, 190),
        RGBColor(140, 80, 200),
        RGBColor(220, 60, 40),
        RGBColor(0, 110, 70),
        RGBColor(180, 180, 60),
        RGBColor(170, 170, 170),
    ];
    match name {
        "ring" | "ring bg" | "nylon-ring" => RGBColor(0, 90, 180),
        "ring-call" | "ring sync" => RGBColor(110, 175, 235),
        "mutex" => RGBColor(217, 95, 2),
        "public-0.2.2" => RGBColor(117, 112, 179),
        "dashmap" => RGBColor(27, 158, 119),
        _ => OTHERS[others % OTHERS.len()],
    }
}

/// The names of all lines, each once, with its colour.
fn legend(panels: &[Panel]) -> Vec<(&str, RGBColor)> {
    let mut names: Vec<(&str, RGBColor)> = Vec::new();
    for series in panels.iter().flat_map(|panel| &panel.series) {
        if !names.iter().any(|(name, _)| *name == series.name) {
            names.push((&series.name, colour(&series.name, names.len())));
        }
    }
    names
}

/// Draws panels, two in a line, as SVG.
pub(super) fn draw(title: &str, panels: &[Panel]) -> Result<String, BenchError> {
    let columns = panels.len().clamp(1, 2);
    let lines = panels.len().div_ceil(columns).max(1);
    let size = (PANEL.0 * columns as u32 + LEGEND, PANEL.1 * lines as u32 + TITLE);
    let mut svg = String::new();
    let root = SVGBackend::with_string(&mut svg, size).into_drawing_area();
    root.fill(&WHITE).map_err(failed)?;
    let heading = style(18, BLACK, HPos::Left, VPos::Top);
    root.draw(&Text::new(title.to_owned(), (16, 12), heading)).map_err(failed)?;
    let colours = legend(panels);
    let (left, right) = root.split_horizontally(PANEL.0 * columns as u32);
    draw_legend(&right, &colours)?;
    let (_, body) = left.split_vertically(TITLE);
    for (area, panel) in body.split_evenly((lines, columns)).iter().zip(panels) {
        draw_panel(area, panel, &colours)?;
    }
    root.present().map_err(failed)?;
    drop((body, left, right, root));
    Ok(svg)
}

fn draw_legend(area: &Area<'_>, colours: &[(&str, RGBColor)]) -> Result<(), BenchError> {
    for (i, (name, colour)) in colours.iter().enumerate() {
        let y = TITLE as i32 + 24 + 20 * i as i32;
        let line = PathElement::new(vec![(8, y), (32, y)], colour.stroke_width(3));
        area.draw(&line).map_err(failed)?;
        let text = Text::new((*name).to_owned(), (38, y), style(13, BLACK, HPos::Left, VPos::Center));
        area.draw(&text).map_err(failed)?;
    }
    Ok(())
}

fn draw_panel(area: &Area<'_>, panel: &Panel, colours: &[(&str, RGBColor)]) -> Result<(), BenchError> {
    let (x, y) = (&panel.x, &panel.y);
    let mut chart = ChartBuilder::on(area)
        .margin(12)
        .caption(&panel.title, style(14, BLACK, HPos::Left, VPos::Top))
        .x_label_area_size(44)
        .y_label_area_size(64)
        .build_cartesian_2d(x.from..x.to, y.from..y.to)
        .map_err(failed)?;
    // The ticks are drawn below: these would be at positions, not at values.
    let mut mesh = chart.configure_mesh();
    mesh.disable_mesh().x_labels(0).y_labels(0).x_desc(&x.title).y_desc(&y.title);
    mesh.axis_desc_style(style(13, BLACK, HPos::Center, VPos::Top)).draw().map_err(failed)?;
    for (at, label) in &x.ticks {
        let line = PathElement::new(vec![(*at, y.from), (*at, y.to)], LIGHT);
        chart.draw_series([line]).map_err(failed)?;
        let text = Text::new(label.clone(), (0, 6), style(12, GREY, HPos::Center, VPos::Top));
        chart.draw_series([EmptyElement::at((*at, y.from)) + text]).map_err(failed)?;
    }
    for (at, label) in &y.ticks {
        let line = PathElement::new(vec![(x.from, *at), (x.to, *at)], LIGHT);
        chart.draw_series([line]).map_err(failed)?;
        let text = Text::new(label.clone(), (-6, 0), style(12, GREY, HPos::Right, VPos::Center));
        chart.draw_series([EmptyElement::at((x.from, *at)) + text]).map_err(failed)?;
    }
    for series in &panel.series {
        let named = colours.iter().find(|(name, _)| *name == series.name);
        let colour = named.map_or(BLACK, |(_, colour)| *colour);
        let at = |point: &Point, value| (x.position(point.x), y.position(value));
        let line: Vec<_> = series.points.iter().map(|point| at(point, point.y)).collect();
        chart.draw_series([PathElement::new(line.clone(), colour.stroke_width(2))]).map_err(failed)?;
        if panel.marks {
            let bars = series.points.iter().map(|point| vec![at(point, point.min), at(point, point.max)]);
            chart.draw_series(bars.map(|bar| PathElement::new(bar, colour.stroke_width(1)))).map_err(failed)?;
            chart.draw_series(line.iter().map(|&at| Circle::new(at, 3, colour.filled()))).map_err(failed)?;
        }
    }
    Ok(())
}
