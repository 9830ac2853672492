//! `tests/bench/run search`: how long a search over many datasets takes, and what it costs to keep up with peers.
//! Keys: `search_p50_ms_100000`, `search_p99_ms_100000`, `browse_p99_ms_100000`, `build_ms_100000`, `index_mb_100000`,
//! `crawl_index_ms_1000_peers`, `crawl_bytes_first`, `crawl_bytes_unchanged`, `crawl_unchanged_ms`.
//!
//! The index is measured in this process, over generated entries of 1,000 publishers with 100 datasets each; what goes over
//! the line is measured between two nodes.

use std::time::Instant;

use catalog::{CatalogEntry, Query, SearchIndex, Sort, Text};
use tests::bench::{Figures, MB, ms, say};
use tests::scene::publish;
use tests::{Rules, TestNode, pair};

/// Publishers, each with [`EACH`] datasets.
const PUBLISHERS: usize = 1_000;
const EACH: usize = 100;
/// Of so many datasets one changes between two crawls.
const CHANGED: usize = 100;
/// Searches measured.
const SEARCHES: usize = 2_000;
/// Datasets of the node that is crawled.
const ON_LINE: usize = 40;

#[rustfmt::skip]
const THINGS: [&str; 16] = [
    "lưu lượng giao thông", "chất lượng không khí", "chất lượng nước", "ca sốt xuất huyết", "hộ nghèo",
    "giấy phép xây dựng", "thủ tục hành chính", "thẻ bảo hiểm y tế", "doanh nghiệp mới", "giá đất",
    "điểm ngập", "cây xanh", "chất thải rắn", "trường mầm non", "giường bệnh", "tuyến xe buýt",
];
#[rustfmt::skip]
const PLACES: [&str; 12] = [
    "Hà Nội", "Thành phố Hồ Chí Minh", "Đà Nẵng", "Hải Phòng", "Cần Thơ", "Huế", "Lâm Đồng", "Đắk Lắk",
    "Khánh Hòa", "Nghệ An", "Tây Ninh", "Cà Mau",
];
const TIMES: [&str; 6] = ["theo giờ", "theo ngày", "theo tuần", "theo tháng", "theo quý", "theo năm"];
#[rustfmt::skip]
const QUESTIONS: [&str; 12] = [
    "giao thong", "chất lượng không khí", "bhyt", "ubnd", "so 4711", "gia dat da nang", "theo thang",
    "diem ngap ho chi minh", "du lieu", "xe buyt theo g", "cay xanh dak lak", "sxh can tho theo tuan",
];

fn entry(number: usize, changed: bool) -> CatalogEntry {
    let pick = |list: &[&'static str], step: usize| list[number / step % list.len()];
    let (thing, place, time) = (pick(&THINGS, 1), pick(&PLACES, 16), pick(&TIMES, 192));
    let note = if changed { " (đã sửa)" } else { "" };
    CatalogEntry {
        participant: format!("urn:agency:vn:{:04}", number / EACH),
        dataset: format!("d-{number}"),
        title: Text::new(format!("{thing} {time}, {place}, số {number}{note}"), ""),
        description: Text::new(
            format!("Dữ liệu về {thing} tại {place}, cập nhật {time}, do Uỷ ban nhân dân công bố"),
            format!("Dataset {number}"),
        ),
        keywords: vec![thing.to_owned(), place.to_owned()],
        theme: Some(thing.to_owned()),
        classification: Some((number % 4) as u8),
        ..CatalogEntry::default()
    }
}

fn percentile(times: &mut [f64], of_hundred: usize) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get((times.len() * of_hundred / 100).min(times.len().saturating_sub(1))).copied().unwrap_or(0.0)
}

fn measured(index: &SearchIndex, query: impl Fn(usize) -> Query) -> Vec<f64> {
    let once = |number: usize| {
        let query = query(number);
        let begun = Instant::now();
        let found = index.search(&query).map_or(0, |found| found.total);
        std::hint::black_box(found);
        ms(begun.elapsed())
    };
    (0..SEARCHES).map(once).collect()
}

fn index(figures: &mut Figures) -> Result<(), catalog::CatalogError> {
    let before = tests::rss_bytes(std::process::id(), false).unwrap_or(0);
    let begun = Instant::now();
    let mut index = SearchIndex::new()?;
    index.put_all((0..PUBLISHERS * EACH).map(|n| entry(n, false)).collect())?;
    figures.add("build_ms_100000", ms(begun.elapsed()));
    let after = tests::rss_bytes(std::process::id(), false).unwrap_or(0);
    figures.add("index_mb_100000", after.saturating_sub(before) as f64 / MB);
    let text = |n: usize| QUESTIONS[n % QUESTIONS.len()];
    let mut times = measured(&index, |n| Query { facets: true, limit: 20, ..Query::new(text(n)) });
    figures.add("search_p50_ms_100000", percentile(&mut times, 50));
    figures.add("search_p99_ms_100000", percentile(&mut times, 99));
    for text in QUESTIONS {
        let mut times = measured(&index, |_| Query { facets: true, limit: 20, ..Query::new(text) });
        say(&format!("`{text}`: p99 {:.2} ms", percentile(&mut times, 99)));
    }
    let browse = |n| Query { sort: Sort::Title, facets: true, offset: n * 20, limit: 20, ..Query::new("") };
    let mut times = measured(&index, browse);
    figures.add("browse_p99_ms_100000", percentile(&mut times, 99));
    let begun = Instant::now();
    for publisher in 0..PUBLISHERS {
        let own = publisher * EACH..(publisher + 1) * EACH;
        let entries = own.map(|n| entry(n, n % CHANGED == 0)).collect();
        index.replace(&format!("urn:agency:vn:{publisher:04}"), entries)?;
    }
    figures.add("crawl_index_ms_1000_peers", ms(begun.elapsed()));
    Ok(())
}

fn line(figures: &mut Figures) -> std::io::Result<()> {
    let ward = TestNode::up("urn:agency:vn:bench-ward", "Phường");
    let city = TestNode::up("urn:agency:vn:bench-city", "Thành phố");
    Rules::new().apply(&city);
    let file = city.desk().join("a.csv");
    std::fs::write(&file, "so,gia_tri\n1,2\n")?;
    for number in 0..ON_LINE {
        publish(&city, &file, &format!("d-{number}"), &["--title", &entry(number, false).title.vi]);
    }
    pair(&city, &ward);
    for (key, time) in [("crawl_bytes_first", None), ("crawl_bytes_unchanged", Some("crawl_unchanged_ms"))] {
        let begun = Instant::now();
        let found = ward.json(&["catalog", "search", "giao thong"]);
        if let Some(time) = time {
            figures.add(time, ms(begun.elapsed()));
        }
        figures.add(key, found["read"][0]["bytes"].as_f64().unwrap_or(0.0));
    }
    Ok(())
}

fn main() -> std::io::Result<()> {
    let mut figures = Figures::default();
    index(&mut figures).map_err(std::io::Error::other)?;
    line(&mut figures)?;
    figures.print()
}
