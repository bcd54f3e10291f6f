//! The report as text: aligned for the terminal, Markdown for the folder of results.

use std::fmt::Write as _;

use super::{Figure, Goal, Pair, Report, Row, Verdict};

const HEAD: [&str; 7] = [
    "row",
    "reference: median (min..max)",
    "contender: median (min..max)",
    "ratio",
    "ratio, min..max",
    "goal",
    "verdict",
];

impl Report {
    /// The table for the terminal: one line for each pair, or for each contender when there is only one.
    #[must_use]
    pub fn table(&self) -> String {
        let cells = self.cells();
        let mut widths = HEAD.map(str::len);
        for line in &cells {
            for (width, cell) in widths.iter_mut().zip(line) {
                *width = cell.chars().count().max(*width);
            }
        }
        let mut text = String::new();
        let mut push = |line: &[String]| {
            let mut out = String::new();
            for (i, (cell, &width)) in line.iter().zip(&widths).enumerate() {
                // Words to the left, numbers to the right.
                let _ =
                    if (1..6).contains(&i) { write!(out, "{cell:>width$}  ") } else { write!(out, "{cell:<width$}  ") };
            }
            text += out.trim_end();
            text.push('\n');
        };
        push(&HEAD.map(str::to_owned));
        push(&widths.map(|width| "-".repeat(width)));
        for line in &cells {
            push(line);
        }
        text
    }

    /// The page for the folder of results.
    pub(super) fn markdown(&self) -> String {
        let machine = &self.machine;
        let mut text = format!(
            "# Side by side\n\n\
             Written by `compare`; what the rows mean and what not to conclude from them stands in `../README.md`. The \
             samples are in `compare.json`.\n\n\
             | | |\n| --- | --- |\n\
             | command | `{}` |\n| turns | {} of {} s each |\n| date | {} |\n| commit | {} |\n| processor | {}, {} \
             threads |\n| kernel | {} |\n| compiler | {} |\n| load at the start | {} |\n\n",
            self.command,
            self.reps,
            self.seconds,
            machine.date,
            machine.commit,
            machine.cpu,
            machine.cores,
            machine.kernel,
            machine.rustc,
            machine.load,
        );
        let mut push = |line: &[String]| {
            text += &format!("| {} |\n", line.join(" | "));
        };
        push(&HEAD.map(str::to_owned));
        push(&["---", "---:", "---:", "---:", "---:", "---:", "---"].map(str::to_owned));
        for line in self.cells() {
            push(&line);
        }
        text += "\n![ratios](compare.svg)\n";
        text
    }

    fn cells(&self) -> Vec<[String; 7]> {
        self.rows.iter().flat_map(row_cells).collect()
    }
}

fn row_cells(row: &Row) -> Vec<[String; 7]> {
    let label = row.label.to_owned();
    match &*row.figures {
        [] => Vec::new(),
        [alone] => {
            vec![[label, figure(alone), String::new(), String::new(), String::new(), String::new(), String::new()]]
        }
        [reference, others @ ..] => others
            .iter()
            .zip(&row.pairs)
            .map(|(own, pair)| {
                [
                    label.clone(),
                    figure(reference),
                    figure(own),
                    format!("{:.3}", pair.ratio.median),
                    format!("{:.3}..{:.3}", pair.ratio.min, pair.ratio.max),
                    pair.goal_reached.and(row.goal).map_or_else(String::new, goal),
                    verdict(pair),
                ]
            })
            .collect(),
    }
}

/// `ring 135.2 (130.1..140.0)`, with as many digits as mean something.
fn figure(figure: &Figure) -> String {
    let digits = if figure.max < 10.0 {
        2
    } else if figure.max < 1000.0 {
        1
    } else {
        0
    };
    format!("{} {:.digits$} ({:.digits$}..{:.digits$})", figure.contender, figure.median, figure.min, figure.max)
}

fn goal(goal: Goal) -> String {
    match goal {
        Goal::Ratio(ratio) => format!("ratio <= {ratio:.2}"),
        Goal::Figure(figure) => format!("<= {figure:.0}"),
    }
}

fn verdict(pair: &Pair) -> String {
    let mut text = match pair.verdict {
        Verdict::Ahead => "ahead",
        Verdict::Even => "even",
        Verdict::Behind => "behind",
    }
    .to_owned();
    if pair.mixed {
        text += ", not in every turn";
    }
    match pair.goal_reached {
        Some(true) => text += ", goal reached",
        Some(false) => text += ", goal missed",
        None => {}
    }
    text
}
