import Testing
@Test func placeholderJobModel() {}
