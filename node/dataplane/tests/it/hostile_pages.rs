//! Parquet whose pages lie or explode: refused with the reason before anything is unpacked, when it is registered and when it
//! is read, so that a file put in the place of a good one later gets no further.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, DictionaryArray, Int32Array, Int64Array, RecordBatch, StringArray};
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::arrow::arrow_writer::ArrowWriterOptions;
use datafusion::parquet::basic::{BrotliLevel, Compression, GzipLevel, ZstdLevel};
use datafusion::parquet::file::metadata::{ParquetMetaDataReader, ParquetMetaDataWriter};
use datafusion::parquet::file::properties::WriterProperties;
use dataplane::{Column, ColumnKind, DataError, Format, Schema, Source, inspect, validate};

use crate::common::{answer, job};

fn schema(name: &str, kind: ColumnKind) -> Schema {
    Schema::new(vec![Column::new(name, kind, true)]).unwrap()
}

/// The reason, which must be the same whoever opens the file; whoever asks for rows learns none.
async fn refused(path: &Path, schema: &Schema, wants: &str) {
    for result in [
        inspect(path, None).map(|_| ()),
        inspect(path, Some(&Format::Parquet)).map(|_| ()),
        validate(path, &Format::Parquet, schema).map(|_| ()),
    ] {
        match result {
            Err(error @ DataError::File { .. }) => {
                let text = error.to_string();
                assert!(text.contains(wants) && text.len() < 1_000, "{wants}: {text}");
            }
            other => panic!("{wants}: {other:?}"),
        }
    }
    read(path, schema, wants).await;
}

async fn read(path: &Path, schema: &Schema, what: &str) {
    let source = Source { path: path.to_owned(), format: Format::Parquet };
    let served = answer(job(source, schema.clone())).await;
    assert!(matches!(served, Err(DataError::Source { .. })), "{what}: {served:?}");
}

fn write(path: &Path, column: ArrayRef, compression: Compression) {
    let name = if column.as_any().is::<Int64Array>() { "n" } else { "t" };
    let batch = RecordBatch::try_from_iter_with_nullable([(name, column, true)]).unwrap();
    let properties =
        WriterProperties::builder().set_compression(compression).set_dictionary_enabled(true).build();
    // Without the words of Arrow the file says no more than that there are texts.
    let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
    let file = std::fs::File::create(path).unwrap();
    let mut writer = ArrowWriter::try_new_with_options(file, batch.schema(), options).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

fn zigzag(number: i64) -> Vec<u8> {
    let mut rest = (number << 1 ^ number >> 63) as u64;
    let mut bytes = Vec::new();
    while rest >= 0x80 {
        bytes.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    bytes.push(rest as u8);
    bytes
}

/// Header of a page: kind 0 holds rows, kind 2 words.
fn header(kind: i64, unpacked: i64, packed: i64, values: i64) -> Vec<u8> {
    let mut bytes = Vec::new();
    for number in [kind, unpacked, packed] {
        bytes.push(0x15);
        bytes.extend(zigzag(number));
    }
    // Field 5 is of pages with rows, field 7 of pages with words; in both, field 1 says how many.
    bytes.push(if kind == 0 { 0x2C } else { 0x4C });
    bytes.push(0x15);
    bytes.extend(zigzag(values));
    let others: &[i64] = if kind == 0 { &[0, 3, 3] } else { &[0] };
    for number in others {
        bytes.push(0x15);
        bytes.extend(zigzag(*number));
    }
    bytes.extend([0, 0]);
    bytes
}

/// Three numbers, as a page has them: none is missing, then the numbers.
fn three() -> Vec<u8> {
    let mut page = vec![2, 0, 0, 0, 6, 1];
    page.extend([1i64, 2, 3].iter().flat_map(|n| n.to_le_bytes()));
    page
}

/// A file with one column of three numbers whose pages are these bytes.
fn with_pages(path: &Path, pages: &[u8], compression: Compression) {
    write(path, Arc::new(Int64Array::from(vec![1, 2, 3])), Compression::UNCOMPRESSED);
    let good = bytes::Bytes::from(std::fs::read(path).unwrap());
    let metadata = ParquetMetaDataReader::new().parse_and_finish(&good).unwrap();
    let group = metadata.row_group(0).clone();
    let chunk =
        group.column(0).clone().into_builder().set_data_page_offset(4).set_dictionary_page_offset(None);
    let chunk = chunk.set_total_compressed_size(pages.len() as i64).set_compression(compression);
    let chunk = chunk.set_column_index_offset(None).set_offset_index_offset(None).build().unwrap();
    let group = group.into_builder().set_column_metadata(vec![chunk]).build().unwrap();
    let metadata = metadata.into_builder().set_row_groups(vec![group]).build();
    let mut out = b"PAR1".to_vec();
    out.extend(pages);
    ParquetMetaDataWriter::new(&mut out, &metadata).finish().unwrap();
    std::fs::write(path, out).unwrap();
}

fn page(unpacked: i64, values: i64, body: &[u8]) -> Vec<u8> {
    [header(0, unpacked, body.len() as i64, values), body.to_vec()].concat()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    writer.write_all(bytes).unwrap();
    writer.finish().unwrap()
}

#[tokio::test]
async fn a_page_whose_header_lies_is_refused_before_it_is_unpacked() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.parquet");
    let schema = schema("n", ColumnKind::Integer);
    let (plain, snappy) = (Compression::UNCOMPRESSED, Compression::SNAPPY);
    let (gz, zstd) = (Compression::GZIP(GzipLevel::default()), Compression::ZSTD(ZstdLevel::default()));
    let body = three();
    let length = body.len() as i64;
    // What the lies are changed from is no lie.
    for (pages, compression) in [(page(length, 3, &body), plain), (page(length, 3, &gzip(&body)), gz)] {
        with_pages(&path, &pages, compression);
        assert_eq!(validate(&path, &Format::Parquet, &schema).unwrap().rows, 3, "{compression}");
    }
    let words = |count| [header(2, 8, 8, count), vec![0; 8], page(length, 3, &body)].concat();
    let bomb = gzip(&vec![0; 50_000_000]);
    let lies: Vec<(Vec<u8>, Compression, &str)> = vec![
        (page(i64::from(i32::MAX), 3, &body), snappy, "one is over"),
        (page(i64::from(i32::MAX), 3, &body), zstd, "one is over"),
        (page(i64::from(i32::MAX), 3, &body), plain, "one is over"),
        (page(length, 3, &bomb), gz, "unpacks to more than it says"),
        (page(length, 3, &[gzip(&body), gzip(&body)].concat()), gz, "unpacks to more than it says"),
        (page(length, 4, &body), plain, "another number of values"),
        (page(length, 2, &body), plain, "another number of values"),
        (page(length, i64::from(i32::MAX), &body), plain, "another number of values"),
        (words(i64::from(i32::MAX)), plain, "more words than bytes"),
        (header(0, length, 1 << 20, 3), plain, "longer than its column"),
        (page(-1, 3, &body), plain, "no header"),
        (page(length, -3, &body), plain, "no header"),
        (header(0, length, -8, 3), plain, "no header"),
        (vec![0xFF; 4_000], plain, "no header"),
        (vec![0x1C; 40_000], plain, "no header"),
        (page(length, 3, &body), Compression::BROTLI(BrotliLevel::default()), "write it with zstd"),
        (page(length, 3, &body), Compression::LZ4, "write it with zstd"),
        (page(length, 3, &body), Compression::LZO, "write it with zstd"),
    ];
    for (pages, compression, wants) in lies {
        with_pages(&path, &pages, compression);
        refused(&path, &schema, wants).await;
    }
}

#[tokio::test]
async fn a_page_that_is_packed_shorter_than_it_says_is_refused_when_it_is_unpacked() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.parquet");
    let schema = schema("n", ColumnKind::Integer);
    for compression in [Compression::GZIP(GzipLevel::default()), Compression::SNAPPY] {
        with_pages(&path, &page(100_000_000, 3, &gzip(&three())), compression);
        assert!(matches!(validate(&path, &Format::Parquet, &schema), Err(DataError::File { .. })));
        let source = Source { path: path.clone(), format: Format::Parquet };
        assert!(answer(job(source, schema.clone())).await.is_err());
    }
}

#[tokio::test]
async fn a_word_that_many_rows_refer_to_is_not_written_out_for_each() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.parquet");
    let schema = schema("t", ColumnKind::String);
    let texts = |word: usize, rows: usize| -> ArrayRef {
        let words = StringArray::from(vec!["w".repeat(word)]);
        Arc::new(DictionaryArray::new(Int32Array::from(vec![0; rows]), Arc::new(words)))
    };
    // Some kilobytes on disk, gigabytes in memory.
    for (word, rows, wants) in
        [(900_000, 5_000, "have texts of over"), (1_100_000, 1, "is longer than 1048576 bytes")]
    {
        write(&path, texts(word, rows), Compression::ZSTD(ZstdLevel::default()));
        assert!(std::fs::metadata(&path).unwrap().len() < 100_000);
        let found = validate(&path, &Format::Parquet, &schema).unwrap_err().to_string();
        assert!(found.contains(wants), "{found}");
        read(&path, &schema, wants).await;
    }
    write(&path, texts(20_000, 5_000), Compression::ZSTD(ZstdLevel::default()));
    assert_eq!(validate(&path, &Format::Parquet, &schema).unwrap().rows, 5_000);
    let source = Source { path: path.clone(), format: Format::Parquet };
    assert_eq!(answer(job(source, schema)).await.unwrap().1.rows, 5_000);
}

/// A file that is nothing but a footer with a schema of these nodes, each with so many children.
fn footer_alone(path: &Path, children: &[u8]) {
    let mut footer = vec![0x15, 0x02, 0x19, 0xFC];
    let mut count = children.len();
    while count >= 0x80 {
        footer.push(count as u8 | 0x80);
        count >>= 7;
    }
    footer.push(count as u8);
    for children in children {
        footer.extend([0x48, 1, b'a']);
        if *children > 0 {
            footer.extend([0x15, children * 2]);
        }
        footer.push(0);
    }
    footer.extend([0x16, 0, 0x19, 0x0C, 0]);
    let length = (footer.len() as u32).to_le_bytes();
    std::fs::write(path, [b"PAR1", &footer[..], &length, b"PAR1"].concat()).unwrap();
}

#[tokio::test]
async fn a_schema_that_is_too_wide_or_too_deep_is_refused_before_it_is_built() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.parquet");
    let schema = schema("a", ColumnKind::Integer);
    footer_alone(&path, &[vec![100; 1], vec![0; 100_000]].concat());
    refused(&path, &schema, "at most 2048 columns").await;
    footer_alone(&path, &[vec![1; 100_000], vec![0]].concat());
    refused(&path, &schema, "at most 2048 columns").await;
    footer_alone(&path, &[vec![1; 8_000], vec![0]].concat());
    refused(&path, &schema, "deep").await;
    let mut cut = std::fs::read(&path).unwrap();
    let end = cut.len();
    cut[end - 8..end - 4].copy_from_slice(&(end as u32).to_le_bytes());
    std::fs::write(&path, cut).unwrap();
    refused(&path, &schema, "longer than the file").await;
}
