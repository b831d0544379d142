import Testing

@testable import JobModel

@Suite("Priority")
struct PriorityTests {
    @Test("each value goes to the list that Celery puts it in")
    func steps() {
        let lists = (-1...10).map { Priority.steps[Priority($0).step] }
        #expect(lists == [0, 0, 0, 0, 3, 3, 3, 6, 6, 6, 9, 9])
    }

    @Test("values are clamped and ordered, the most urgent first")
    func values() {
        #expect(Priority(-5) == .highest)
        #expect(Priority(99).value == 9)
        #expect(Priority.highest < Priority(1))
    }
}
