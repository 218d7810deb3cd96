//! What the compiler says of wrong attributes.

/// A wrong attribute is an error that says what to write.
#[test]
fn wrong_attributes() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
