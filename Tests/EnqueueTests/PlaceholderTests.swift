import Testing
@Test func placeholderEnqueue() {}
