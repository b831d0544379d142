import Testing
@Test func placeholderMailbox() {}
