//! What docs/sources.md shows can be copied.
#![allow(clippy::unwrap_used, reason = "a test says what went wrong by stopping")]

use intake::Origin;

#[test]
fn every_example_of_the_page_is_read_and_kept_as_it_is() {
    let page = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/sources.md");
    let page = std::fs::read_to_string(page).unwrap();
    let blocks = page.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next());
    let examples: Vec<&str> = blocks.filter(|block| block.starts_with("type = ")).collect();
    assert!(examples.len() >= 4, "only {} examples", examples.len());
    for example in examples {
        let origin = Origin::parse(example).unwrap_or_else(|e| panic!("{e}\n{example}"));
        let again = Origin::parse(&toml::to_string(&origin).unwrap()).unwrap();
        assert_eq!(again, origin, "{example}");
    }
}
