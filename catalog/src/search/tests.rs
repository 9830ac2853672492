//! Tests of the index.

use super::*;
use crate::Text;

fn entry(dataset: &str, title: &str) -> CatalogEntry {
    CatalogEntry {
        participant: "urn:agency:a".to_owned(),
        dataset: dataset.to_owned(),
        title: Text::new(title, ""),
        ..CatalogEntry::default()
    }
}

fn index(entries: Vec<CatalogEntry>) -> SearchIndex {
    let mut index = SearchIndex::new().unwrap();
    for entry in entries {
        index.put(entry).unwrap();
    }
    index
}

fn found(index: &SearchIndex, text: &str) -> Vec<String> {
    index.search(&Query::new(text)).unwrap().hits.iter().map(|h| h.entry.dataset.clone()).collect()
}

#[test]
fn marks_may_be_left_out_and_words_together_come_first() {
    let index = index(vec![
        entry("trade", "Giao dịch thông tin đất đai"),
        entry("traffic", "Lưu lượng giao thông theo giờ"),
        entry("water", "Mực nước sông Hồng"),
    ]);
    assert_eq!(found(&index, "giao thong"), ["traffic", "trade"]);
    assert_eq!(found(&index, "giao thông"), ["traffic", "trade"]);
    assert_eq!(found(&index, "THÔNG GIAO"), ["trade", "traffic"]);
    assert_eq!(found(&index, "dat dai"), ["trade"]);
    assert_eq!(found(&index, "luu luong gi"), ["traffic"], "the last word may be begun only");
    assert!(found(&index, "lu luong").is_empty(), "the others may not");
    assert!(found(&index, "giao thong xe").is_empty(), "all words must be there");
    assert!(found(&index, "!!!").is_empty(), "no words at all find nothing");
    assert_eq!(found(&index, "  ").len(), 3, "no text finds everything");
}

#[test]
fn written_marks_count() {
    let index = index(vec![entry("drug", "Ma túy"), entry("tax", "Mã số thuế"), entry("grave", "Má và mạ")]);
    assert_eq!(found(&index, "mã")[0], "tax");
    assert_eq!(found(&index, "ma")[0], "drug");
    assert_eq!(found(&index, "ma").len(), 3);
}

#[test]
fn the_title_counts_more_than_keywords_description_and_columns() {
    let mut column = entry("column", "a");
    column.columns =
        vec![crate::EntryColumn { name: "mưa".to_owned(), kind: None, description: Text::default() }];
    let mut description = entry("description", "b");
    description.description = Text::new("Lượng mưa đo hằng giờ", "");
    let mut keyword = entry("keyword", "c");
    keyword.keywords = vec!["mưa".to_owned()];
    let index = index(vec![column, description, keyword, entry("title", "Mưa")]);
    assert_eq!(found(&index, "mua"), ["title", "keyword", "description", "column"]);
}

#[test]
fn filters_pages_and_totals() {
    let mut entries: Vec<_> =
        (0..30).map(|i| entry(&format!("d{i:02}"), &format!("Dữ liệu {i:02}"))).collect();
    entries[3].theme = Some("Y tế".to_owned());
    entries[4].keywords = vec!["Không khí".to_owned()];
    entries[5].participant = "urn:agency:b".to_owned();
    let index = index(entries);
    let one = |query: Query| {
        let found = index.search(&Query { limit: 10, ..query }).unwrap();
        assert_eq!(found.total, 1);
        found.hits[0].entry.dataset.clone()
    };
    assert_eq!(one(Query { theme: Some("y te".to_owned()), ..Query::default() }), "d03");
    assert_eq!(one(Query { keyword: Some("khong khi ".to_owned()), ..Query::new("du lieu") }), "d04");
    assert_eq!(one(Query { participant: Some("urn:agency:b".to_owned()), ..Query::default() }), "d05");
    let page = index.search(&Query { offset: 25, limit: 10, ..Query::new("du lieu") }).unwrap();
    assert_eq!((page.total, page.hits.len()), (30, 5));
    assert_eq!(page.hits[0].entry.dataset, "d25");
    let some = index.search_where(&Query::new(""), |_| true, |e| e.dataset == "d07").unwrap();
    assert_eq!((some.total, some.hits.len()), (1, 1));
}

#[test]
fn a_newer_entry_takes_the_place_of_the_older_one() {
    let mut index = index(vec![entry("x", "Cũ"), entry("y", "Khác")]);
    index.put(entry("x", "Mới")).unwrap();
    assert_eq!(index.len(), 2);
    assert!(found(&index, "cu").is_empty());
    assert_eq!(index.get("urn:agency:a", "x").unwrap().title.vi, "Mới");
    assert!(index.remove("urn:agency:a", "x").unwrap() && !index.remove("urn:agency:a", "x").unwrap());
    assert_eq!(index.remove_participant("urn:agency:a").unwrap(), 1);
    assert!(index.is_empty());
    assert!(index.put(entry("", "no name")).is_err());
}

#[test]
fn limits_of_query_page_and_index() {
    let mut index = SearchIndex::new().unwrap();
    index.entries_max = 500;
    let many = (0..500).map(|i| entry(&format!("{i}"), "a")).collect();
    index.put_all(many).unwrap();
    assert_eq!(index.put_all(vec![entry("too many", "a")]).unwrap().left_out, 1);
    assert!(matches!(index.put(entry("one more", "a")), Err(CatalogError::IndexFull)));
    index.put(entry("7", "b")).unwrap();
    let all = index.search(&Query { limit: usize::MAX, ..Query::new("a") }).unwrap();
    assert_eq!((all.total, all.hits.len()), (499, limits::HITS_MAX));
    let words = |n: usize| format!("{}zzz", "b ".repeat(n));
    assert_eq!(found(&index, &words(limits::QUERY_WORDS_MAX)), ["7"], "words beyond the limit do not count");
    assert!(found(&index, &words(limits::QUERY_WORDS_MAX - 1)).is_empty());
    let text = |n: usize| format!("b{}zzz", " ".repeat(n));
    assert_eq!(found(&index, &text(limits::QUERY_CHARS_MAX - 1)), ["7"], "nor do characters");
    assert!(found(&index, &text(limits::QUERY_CHARS_MAX - 2)).is_empty());
}

#[test]
fn only_what_changed_is_written() {
    let mut index = SearchIndex::new().unwrap();
    let mut entries: Vec<_> = (0..10).map(|i| entry(&format!("d{i}"), &format!("Dữ liệu {i}"))).collect();
    let changes = |written, removed, same| Changes { written, removed, same, left_out: 0 };
    assert_eq!(index.replace("urn:agency:a", entries.clone()).unwrap(), changes(10, 0, 0));
    entries[3].title.vi = "Mới".to_owned();
    entries[4].fetched_at = 99;
    entries.remove(7);
    assert_eq!(index.replace("urn:agency:a", entries.clone()).unwrap(), changes(1, 1, 8));
    assert_eq!(
        index.get("urn:agency:a", "d4").unwrap().fetched_at,
        99,
        "when it was read is new all the same"
    );
    assert_eq!(found(&index, "moi"), ["d3"]);
    assert!(!found(&index, "du lieu").contains(&"d7".to_owned()));
    // An entry in another's name is nobody's.
    let mut foreign = entry("x", "Của người khác");
    foreign.participant = "urn:agency:b".to_owned();
    assert_eq!(index.replace("urn:agency:a", vec![foreign]).unwrap().removed, 9);
    assert!(index.is_empty());
    assert_eq!(index.replace("urn:agency:a", entries).unwrap().written, 9);
}

#[test]
fn titles_come_in_the_order_of_the_alphabet() {
    let sorted = ["An", "Ăn", "Ân", "Cá", "Da", "Đa", "Ê", "Ô", "Ơ", "U", "Ư", "Xa"];
    let mut shuffled = sorted.to_vec();
    shuffled.sort_unstable();
    assert_ne!(shuffled, sorted, "the order of bytes is another");
    let index = index(shuffled.into_iter().map(|title| entry(title, title)).collect());
    let by_title = Query { sort: Sort::Title, ..Query::new("") };
    let found: Vec<_> =
        index.search(&by_title).unwrap().hits.iter().map(|h| h.entry.title.vi.clone()).collect();
    assert_eq!(found, sorted);
    let page = index.search(&Query { offset: 3, limit: 2, ..by_title }).unwrap();
    assert_eq!(page.hits.iter().map(|h| h.entry.title.vi.as_str()).collect::<Vec<_>>(), ["Cá", "Da"]);
}

#[test]
fn the_newest_come_first_if_asked() {
    let mut entries = vec![entry("a", "A"), entry("b", "B"), entry("c", "C")];
    entries[1].fetched_at = 5;
    let index = index(entries);
    let found = index.search(&Query { sort: Sort::Newest, ..Query::new("") }).unwrap();
    assert_eq!(found.hits.iter().map(|h| h.entry.dataset.as_str()).collect::<Vec<_>>(), ["b", "a", "c"]);
}

#[test]
fn facets_count_what_may_be_seen_and_nothing_else() {
    let mut entries: Vec<_> = (0..4).map(|i| entry(&format!("d{i}"), "Dữ liệu")).collect();
    entries[0].theme = Some("Y tế".to_owned());
    entries[1].theme = Some("y te".to_owned());
    entries[1].keywords = vec!["Khí".to_owned(), "khi ".to_owned()];
    entries[2].keywords = vec!["mật".to_owned()];
    entries[2].sharing = Some(SharingKind::Special);
    entries[3].classification = Some(3);
    entries[3].participant = "urn:agency:b".to_owned();
    let index = index(entries);
    let query = Query { facets: true, limit: 1, ..Query::new("du lieu") };
    let value = |value: &str, count| Value { value: value.to_owned(), count };
    let all = index.search(&query).unwrap();
    let facets = all.facets.unwrap();
    assert_eq!((all.total, all.hits.len()), (4, 1), "facets are of all hits, not of the page");
    assert_eq!(facets.publisher, [value("urn:agency:a", 3), value("urn:agency:b", 1)]);
    assert_eq!((facets.theme.len(), facets.theme[0].count), (1, 2), "two spellings of one theme");
    assert_eq!(facets.keyword.iter().map(|v| v.count).collect::<Vec<_>>(), [1, 1]);
    assert_eq!(facets.sharing, [value("special", 1)]);
    assert_eq!(facets.classification, [value("3", 1)]);
    let some = index.search_where(&query, |p| p == "urn:agency:a", |e| e.dataset != "d2").unwrap();
    let facets = some.facets.unwrap();
    assert_eq!(some.total, 2);
    assert_eq!(facets.publisher, [value("urn:agency:a", 2)]);
    assert!(facets.sharing.is_empty() && facets.keyword.iter().all(|k| k.value != "mật"));
    let special = Query { sharing: Some(SharingKind::Special), ..query.clone() };
    assert_eq!(index.search(&special).unwrap().total, 1);
    let third = Query { classification: Some(3), ..query.clone() };
    assert_eq!(index.search(&third).unwrap().total, 1);
    assert_eq!(index.search(&Query { theme: Some("không có".to_owned()), ..query }).unwrap().total, 0);
}

/// With the frequencies of all entries, those of others would move one's own.
#[test]
fn what_may_not_be_seen_moves_nothing() {
    let own = || vec![entry("a", "Nước sông Hồng"), entry("b", "Sông và nước ngầm")];
    let scores = |index: &SearchIndex| -> Vec<(String, u32)> {
        let found = index.search_where(&Query::new("nuoc song"), |p| p == "urn:agency:a", |_| true).unwrap();
        found.hits.iter().map(|h| (h.entry.dataset.clone(), h.score.to_bits())).collect()
    };
    let alone = index(own());
    let mut others = own();
    others.extend(
        (0..50).map(|i| CatalogEntry {
            participant: "urn:agency:x".to_owned(),
            ..entry(&format!("x{i}"), "nước")
        }),
    );
    assert_eq!(scores(&alone), scores(&index(others)));
}

#[test]
fn abbreviations_and_merged_names_find_each_other() {
    let index = index(vec![
        entry("office", "Trụ sở Uỷ ban nhân dân phường"),
        entry("card", "Thẻ BHYT theo phường"),
        entry("old", "Khu công nghiệp tỉnh Bình Dương"),
        entry("new", "Khu công nghiệp Thành phố Hồ Chí Minh"),
        entry("tech", "Hạ tầng kĩ thuật"),
    ]);
    assert_eq!(found(&index, "ubnd phuong")[0], "office");
    assert_eq!(found(&index, "bao hiem y te"), ["card"]);
    assert_eq!(found(&index, "khu cong nghiep binh duong"), ["old", "new"]);
    assert_eq!(found(&index, "kcn ho chi minh"), ["new", "old"]);
    assert_eq!(found(&index, "kỹ thuật"), ["tech"]);
}

#[test]
fn who_may_not_know_the_columns_finds_nothing_by_them() {
    let mut with = entry("x", "Sổ khám");
    with.columns = vec![crate::EntryColumn {
        name: "so_dien_thoai".to_owned(),
        kind: None,
        description: Text::default(),
    }];
    let index = index(vec![with]);
    let found = |text: &str, without_columns| {
        index.search(&Query { without_columns, ..Query::new(text) }).unwrap().total
    };
    for text in ["so_dien_thoai", "dien thoai", "kham dien", "tho"] {
        assert_eq!((found(text, false), found(text, true)), (1, 0), "{text}");
    }
    assert_eq!(found("so kham", true), 1);
}
