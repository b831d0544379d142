import Testing
@Test func placeholderBackhaul() {}
