//! A table as text: aligned for the terminal, or Markdown.

use std::fmt::Write as _;

/// Cells in lines of equal length, the first one the head. Words stand to the left, all between the first and the last
/// column to the right.
pub(super) struct Grid {
    pub(super) lines: Vec<Vec<String>>,
}

impl Grid {
    pub(super) fn new(head: Vec<String>) -> Self {
        Self { lines: vec![head] }
    }

    /// Aligned by blanks.
    pub(super) fn text(&self) -> String {
        let columns = self.lines.first().map_or(0, Vec::len);
        let width = |column: usize| {
            self.lines.iter().filter_map(|line| line.get(column)).map(|cell| cell.chars().count()).max()
        };
        let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
        let mut text = String::new();
        for (number, line) in self.lines.iter().enumerate() {
            let mut out = String::new();
            for (i, (cell, width)) in line.iter().zip(&widths).enumerate() {
                // Writing to a String cannot fail.
                let _ =
                    if self.is_number(i) { write!(out, "{cell:>width$}  ") } else { write!(out, "{cell:<width$}  ") };
            }
            text += out.trim_end();
            text.push('\n');
            if number == 0 {
                let rules: Vec<_> = widths.iter().map(|&width| "-".repeat(width)).collect();
                text += &rules.join("  ");
                text.push('\n');
            }
        }
        text
    }

    /// As Markdown has it.
    pub(super) fn markdown(&self) -> String {
        let mut text = String::new();
        for (number, line) in self.lines.iter().enumerate() {
            text += &format!("| {} |\n", line.join(" | "));
            if number == 0 {
                let rule = |i| if self.is_number(i) { "---:" } else { "---" };
                let rules: Vec<_> = (0..line.len()).map(rule).collect();
                text += &format!("| {} |\n", rules.join(" | "));
            }
        }
        text
    }

    fn is_number(&self, column: usize) -> bool {
        let last = self.lines.first().map_or(0, Vec::len).saturating_sub(1);
        column > 0 && column < last
    }
}

#[cfg(test)]
mod tests {
    use super::Grid;

    #[test]
    fn both_ways_of_writing() {
        let cells = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        let mut grid = Grid::new(cells(["row", "ns", "verdict"]));
        grid.lines.push(cells(["a longer one", "1.5", ""]));
        assert_eq!(grid.text(), "row            ns  verdict\n------------  ---  -------\na longer one  1.5\n");
        assert_eq!(grid.markdown(), "| row | ns | verdict |\n| --- | ---: | --- |\n| a longer one | 1.5 |  |\n");
    }
}
