import Testing
@Test func placeholderZlib() {}
