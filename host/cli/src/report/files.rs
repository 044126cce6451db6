//! Where the reports of a comparison go: each to its file, which appears when it is complete, or
//! one of them to stdout. Differences are written while they are found, the rest at the end.

use super::target::{Target, is_stdout};
use crate::error::Failure;
use anyhow::{Context as _, anyhow};
use retally_compare::Fields;
use retally_compare::model::Presence;
use retally_compare::sink::{Difference, DifferenceSink, SinkError};
use retally_engine::bounded;
use retally_engine::compare::Differences;
use retally_engine::limits::TEXT_MAX_BYTES;
use retally_report::{Csv, CsvByKey, Outline, html, markdown};
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Reports beside the text on stdout. FILE is a path, or `-` for stdout in place of the text.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct Reports {
    /// Write a report for a pull request, in Markdown, below 65,000 characters. Here and below `-`
    /// is stdout, in place of the text.
    #[arg(long, value_name = "FILE", help_heading = "Reports")]
    markdown: Option<PathBuf>,
    /// Write a report as one page that opens from disk.
    #[arg(long, value_name = "FILE", help_heading = "Reports")]
    html: Option<PathBuf>,
    /// Write every difference of the view as CSV for a spreadsheet: text that would be a formula
    /// gets a `'`.
    #[arg(long, value_name = "FILE", help_heading = "Reports")]
    csv: Option<PathBuf>,
    /// Write the view rows that differ as CSV for a spreadsheet: one line for each key and row,
    /// with columns for each field; empty where it is the same.
    #[arg(long, value_name = "FILE", help_heading = "Reports")]
    csv_by_key: Option<PathBuf>,
    /// Write every difference of the view as Parquet, exactly (differences.parquet).
    #[arg(long, value_name = "FILE", help_heading = "Reports")]
    differences: Option<PathBuf>,
    /// A title for the page and the comment.
    #[arg(long, value_name = "TEXT", help_heading = "Reports")]
    title: Option<String>,
    /// Put what this Markdown file says into the page and the comment: paragraphs, headings, lists,
    /// code, strong words. Everything else in it is shown as text.
    #[arg(long, value_name = "FILE", help_heading = "Reports")]
    note: Option<PathBuf>,
}

impl Reports {
    fn all(&self) -> impl Iterator<Item = &Path> {
        let all = [&self.markdown, &self.html, &self.csv, &self.csv_by_key, &self.differences];
        all.into_iter().flatten().map(PathBuf::as_path)
    }

    /// Whether one of them goes to stdout, which then holds nothing else.
    pub(crate) fn take_stdout(&self) -> bool {
        self.all().any(is_stdout)
    }

    pub(crate) fn has_page(&self) -> bool {
        self.html.is_some()
    }

    /// Refuses to write over what is compared: `inputs`, files and folders.
    fn spare(&self, inputs: &[PathBuf]) -> Result<(), Failure> {
        let real = |path: &Path| path.canonicalize().ok();
        let inputs: Vec<PathBuf> = inputs.iter().filter_map(|path| real(path)).collect();
        let lies_in = |path: &Path| {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            let new = || Some(real(folder.unwrap_or(Path::new(".")))?.join(path.file_name()?));
            let path = real(path).or_else(new)?;
            inputs.iter().find(|input| path.starts_with(input)).cloned()
        };
        let all = self.all().filter(|path| !is_stdout(path));
        for path in all {
            if let Some(input) = lies_in(path) {
                let (path, input) = (path.display(), input.display());
                let text =
                    format!("the report {path} would be written over {input}, which is read");
                return Err(Failure::usage(anyhow!(text)).hint("give it another place"));
            }
        }
        Ok(())
    }

    /// Begins what is written while differences are found. `json`: stdout is taken already;
    /// `inputs`: files and folders that are read.
    pub(crate) fn begin(&self, json: bool, inputs: &[PathBuf]) -> Result<Files, Failure> {
        self.spare(inputs)?;
        let taken = self.all().filter(|path| is_stdout(path)).count() + usize::from(json);
        if taken > 1 {
            let text = "stdout can hold one report: give the others a file";
            return Err(Failure::usage(anyhow!(text)));
        }
        let files: Vec<&Path> = self.all().filter(|path| !is_stdout(path)).collect();
        let twice = files.iter().enumerate().find(|(at, path)| files[..*at].contains(path));
        if let Some((_, path)) = twice {
            let text = format!("{} cannot hold two reports: give each a file", path.display());
            return Err(Failure::usage(anyhow!(text)));
        }
        let note = self.note()?;
        let target = |path: &Option<PathBuf>| {
            path.as_deref().map(|path| Target::create("the report", path)).transpose()
        };
        let (csv, by_key) = (target(&self.csv)?, target(&self.csv_by_key)?);
        let differences = target(&self.differences)?;
        // Those that are written last too: a long comparison must not end in a path that is wrong.
        let texts = [(&self.markdown, markdown as Render), (&self.html, html as Render)];
        let mut of_texts = Vec::new();
        for (path, render) in texts {
            of_texts.extend(target(path)?.map(|target| (target, render)));
        }
        let differences = differences.map(Differences::new).transpose()?;
        let title = self.title.clone();
        let (csv, by_key) = (csv.map(Csv::new), by_key.map(CsvByKey::new));
        Ok(Files { csv, by_key, differences, texts: of_texts, title, note })
    }

    /// The note, read before anything else takes its time.
    fn note(&self) -> Result<Option<String>, Failure> {
        let given = [("--title", self.title.is_some()), ("--note", self.note.is_some())];
        let given = given.into_iter().find(|(_, given)| *given);
        if let Some((flag, _)) = given.filter(|_| self.html.is_none() && self.markdown.is_none()) {
            let text = format!("{flag} is for a page or a comment, and neither is asked for");
            return Err(Failure::usage(anyhow!(text)).hint("add --html FILE or --markdown FILE"));
        }
        let read = |path: &PathBuf| {
            let text = bounded::read_text(path, TEXT_MAX_BYTES);
            text.with_context(|| format!("cannot read the note {}", path.display()))
        };
        self.note.as_ref().map(read).transpose().map_err(Failure::usage)
    }
}

pub(crate) struct Files {
    csv: Option<Csv<Target>>,
    by_key: Option<CsvByKey<Target>>,
    differences: Option<Differences<Target>>,
    texts: Vec<(Target, Render)>,
    title: Option<String>,
    note: Option<String>,
}

/// How a report that is one text is made.
type Render = fn(&Outline) -> String;

impl Files {
    /// Writes what is written at the end, and makes all files appear.
    pub(crate) fn finish(self, report: &Outline) -> Result<(), Failure> {
        let mut report = report.clone();
        if let Some(title) = &self.title {
            report = report.titled(title);
        }
        if let Some(note) = &self.note {
            report = report.noted(note);
        }
        let mut done = Vec::new();
        done.extend(self.csv.map(Csv::finish).transpose()?);
        done.extend(self.by_key.map(CsvByKey::finish).transpose()?);
        done.extend(self.differences.map(Differences::finish).transpose()?);
        for (mut target, render) in self.texts {
            target.write_all(render(&report).as_bytes())?;
            done.push(target);
        }
        done.into_iter().try_for_each(Target::finish).map_err(Failure::unfinished)
    }
}

impl DifferenceSink for Files {
    fn begin(&mut self, fields: &Fields) -> Result<(), SinkError> {
        self.by_key.as_mut().map_or(Ok(()), |csv| csv.begin(fields))
    }

    fn key(&mut self, key: &[u8], presence: Presence) -> Result<(), SinkError> {
        self.by_key.as_mut().map_or(Ok(()), |csv| csv.key(key, presence))
    }

    fn value(&mut self, difference: &Difference<'_>) -> Result<(), SinkError> {
        self.by_key.as_mut().map_or(Ok(()), |csv| csv.value(difference))?;
        self.csv.as_mut().map_or(Ok(()), |csv| csv.value(difference))?;
        self.differences.as_mut().map_or(Ok(()), |file| file.value(difference))
    }
}
