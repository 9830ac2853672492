//! The forms of rows: their words in a query, the engine's names, and which of them can be read again.

use dataplane::{Format, OutputFormat};

/// All forms, in the order in which they are offered.
pub const ALL: [OutputFormat; 7] = [
    OutputFormat::Csv,
    OutputFormat::CsvBom,
    OutputFormat::Ndjson,
    OutputFormat::Json,
    OutputFormat::Parquet,
    OutputFormat::ArrowStream,
    OutputFormat::Xlsx,
];

/// The form of a query's word (one of [`crate::query::FORMATS`]); CSV for any other, as the query language has it.
pub fn output(word: &str) -> OutputFormat {
    match word {
        "ndjson" => OutputFormat::Ndjson,
        "parquet" => OutputFormat::Parquet,
        "arrow" => OutputFormat::ArrowStream,
        "json" => OutputFormat::Json,
        "xlsx" => OutputFormat::Xlsx,
        "csv-bom" => OutputFormat::CsvBom,
        _ => OutputFormat::Csv,
    }
}

/// The end of a file's name.
pub fn extension(form: OutputFormat) -> &'static str {
    match form {
        OutputFormat::Csv | OutputFormat::CsvBom => "csv",
        OutputFormat::Ndjson => "ndjson",
        OutputFormat::Json => "json",
        OutputFormat::Parquet => "parquet",
        OutputFormat::ArrowStream => "arrows",
        OutputFormat::Xlsx => "xlsx",
    }
}

/// How a file of this form is read as a source; none for what is only written.
pub fn readable(form: OutputFormat) -> Option<Format> {
    match form {
        OutputFormat::Csv | OutputFormat::CsvBom => Some(Format::Csv { delimiter: ',', null_text: None }),
        OutputFormat::Ndjson => Some(Format::Ndjson),
        OutputFormat::Json => Some(Format::Json),
        OutputFormat::Parquet => Some(Format::Parquet),
        OutputFormat::ArrowStream | OutputFormat::Xlsx => None,
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_word_of_a_query_is_a_form_of_its_own() {
        let forms: Vec<_> = crate::query::FORMATS.iter().map(|word| super::output(word)).collect();
        assert_eq!(forms.len(), super::ALL.len());
        assert!(super::ALL.iter().all(|form| forms.contains(form)));
    }
}
