use super::*;
use crate::model::Text;
use crate::samples;

fn listing<'a>(datasets: &'a [&'a Dataset], number: usize, total: usize, query: &'a str) -> Listing<'a> {
    Listing { datasets, page: Page::new(number, 1, total), query }
}

#[test]
fn what_people_wrote_cannot_become_markup() {
    let evil = "<script>alert('x')</script>\"&";
    let mut one = samples::dataset("a");
    one.title = Text::new(evil, evil);
    one.description = Text::new(evil, evil);
    one.keywords = vec![evil.to_owned()];
    one.licence = Some("javascript:alert(1)".to_owned());
    one.columns[0].name = evil.to_owned();
    one.theme.as_mut().unwrap().title = evil.to_owned();
    one.publisher.title = Text::new(evil, "");
    let catalog = samples::catalog(Vec::new());
    for page in [dataset(&catalog, &one).unwrap(), list(&catalog, listing(&[&one], 1, 3, evil)).unwrap()] {
        assert!(!page.contains("<script>alert"), "{page}");
        assert!(!page.contains("href=\"javascript"), "{page}");
    }
}

#[test]
fn pages_are_vietnamese_first_and_lead_to_machines() {
    let catalog = samples::catalog(Vec::new());
    let page = dataset(&catalog, &samples::dataset("a")).unwrap();
    for wanted in [
        "<html lang=\"vi\">",
        "lang=\"en\"",
        "Chất lượng không khí",
        "pm25",
        "application/ld+json",
        "rel=\"alternate\" type=\"text/turtle\" href=\"https://data.example.vn/dataset/a.ttl\"",
        "https://data.example.vn/odata/v4/a",
    ] {
        assert!(page.contains(wanted), "{wanted} is missing: {page}");
    }
    let restricted = dataset(&catalog, &samples::restricted("b")).unwrap();
    for secret in ["pm25", "odata/v4/b"] {
        assert!(!restricted.contains(secret), "{secret}: {restricted}");
    }
}

#[test]
fn lists_have_pages_and_keep_the_words() {
    let catalog = samples::catalog(Vec::new());
    let one = samples::dataset("a");
    let page = list(&catalog, listing(&[&one], 2, 3, "không khí")).unwrap();
    assert!(page.contains("/?page=3&#38;q=kh%C3%B4ng%20kh%C3%AD"), "{page}");
    assert!(page.contains("/?page=1&#38;q="), "{page}");
    assert!(page.contains("value=\"không khí\""), "{page}");
    let empty = list(&catalog, listing(&[], 1, 0, "")).unwrap();
    assert!(empty.contains("Không có bộ dữ liệu nào"), "{empty}");
    assert!(message("Không tìm thấy", "Not found").unwrap().contains("Not found"));
}
