//! The page for the folder of results.

use super::{Report, plots::Plot, table::Detail};

impl Report {
    /// Tables by section, each with its plots, under what has to be known of the run.
    pub(super) fn page(&self, plots: &[Plot]) -> String {
        let machine = &self.machine;
        let mut text = format!(
            "# Side by side\n\n\
             Written by `compare`. What the rows mean, how they are measured and what not to conclude from them stands in \
             [../README.md](../README.md); the samples are in [compare.json](compare.json).\n\n\
             | | |\n| --- | --- |\n\
             | command | `{}` |\n| each measurement | {} s |\n| date | {} |\n| commit | {} |\n| processor | {}, {} \
             threads |\n| kernel | {} |\n| compiler | {} |\n| load at the start | {} |\n\n\
             A cell is the median of all turns and the least and the greatest, in ns unless it says otherwise; less is \
             better. *ring/better* is the ring's figure for each of the better reference's (`mutex` or `public-0.2.2`), \
             within a turn. *?* behind a verdict: not in every turn.\n",
            self.command,
            self.seconds,
            machine.date,
            machine.commit,
            machine.cpu,
            machine.cores,
            machine.kernel,
            machine.rustc,
            machine.load,
        );
        for section in self.sections() {
            text += &format!("\n## {}\n\n", section.title());
            if let Some(took) = self.took.iter().find(|took| took.section == section) {
                text += &format!(
                    "Section `{}`; turns: {}; seconds in all: {}.\n\n",
                    section.name(),
                    took.turns,
                    took.seconds
                );
            }
            text += &self.grid(section, Detail::Range).markdown();
            for plot in plots.iter().filter(|plot| plot.section == section) {
                text += &format!("\n![{}]({})\n", plot.title, plot.file);
            }
        }
        text
    }
}
