//! What the event is called with which a key begins to differ. In one pass it is the first whose
//! outcome differs, or the result after it. The files of two runs hold outcomes and emits, and no
//! result after each event: whatever names such an event, or counts by it, says so.

use retally_compare::model::{Comparison, How};

/// The words, by where the two sides came from.
pub(super) struct Words {
    /// In front of an event, where there is little room.
    pub(super) since: &'static str,
    /// The same as a title.
    pub(super) title: &'static str,
    /// Over a column of such events, and over one of their times.
    pub(super) column: &'static str,
    pub(super) time: &'static str,
    /// In front of an event that is told in full.
    pub(super) caption: &'static str,
    /// What keys do with such an event.
    pub(super) begin: &'static str,
    /// What keys do so, as the name of a plot.
    pub(super) keys: &'static str,
    /// In front of the times of the first and the last.
    pub(super) first: &'static str,
    pub(super) all: &'static str,
    /// Behind such times.
    pub(super) before: &'static str,
    /// What is counted over time.
    pub(super) counted: &'static str,
    /// Behind a total of results by month.
    pub(super) by_month: &'static str,
    /// What the month of a result is.
    pub(super) month: &'static str,
}

pub(super) fn words(c: &Comparison) -> &'static Words {
    if c.how == How::Runs { &IN_FILES } else { &IN_ONE_PASS }
}

static IN_ONE_PASS: Words = Words {
    since: "since event",
    title: "Since ",
    column: "First diverging event",
    time: "Begins to differ (UTC)",
    caption: "The event with which it begins to differ: ",
    begin: "begin to differ",
    keys: "Keys that begin to differ",
    first: "the first difference begins",
    all: "all differences begin",
    before: "",
    counted: " A key begins to differ with the first of its events whose outcome, or whose result \
              after it, is not the same. Each key's difference at the end is counted there.",
    by_month: "",
    month: "in which the key begins to differ.",
};

static IN_FILES: Words = Words {
    since: "outcome or emits differ since event",
    title: "Outcome or emits differ since ",
    column: "First event with another outcome or other emits",
    time: "Outcome or emits differ since (UTC)",
    caption: "The first event whose outcome or emits differ (the result may have parted before): ",
    begin: "begin to differ in outcomes or emits",
    keys: "Keys whose outcomes or emits begin to differ",
    first: "the first key begins to differ in outcomes or emits",
    all: "all keys begin to differ in outcomes or emits",
    before: "; results may have parted before",
    counted: " Each key's difference at the end is counted at the first of its events whose \
              outcome or emits differ. The files of runs hold no result after each event: it may \
              have parted before.",
    by_month: ", by the first event whose outcome or emits differ",
    month: "of the first event whose outcome or emits differ: the files of runs hold no result \
            after each event, and it may have parted in an earlier month.",
};
