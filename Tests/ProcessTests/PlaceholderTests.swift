import Testing
@Test func placeholderProcess() {}
