import Foundation
import JobModel
import Testing

@testable import Worker

@Suite("Events that wait")
struct EventBufferTests {
    private func started(_ number: Int) -> EventRecord {
        EventRecord(.taskStarted(JobID("\(number)")), clock: number, at: Date())
    }

    private func received(bytes: Int) throws -> EventRecord {
        let padding = String(repeating: "x", count: bytes)
        let raw = #"{"body": "", "headers": {"task": "t", "id": "i", "own": "\#(padding)"}}"#
        let message = try JobMessage(decoding: Array(raw.utf8), limits: WireLimits())
        return EventRecord(.taskReceived(message), clock: 0, at: Date())
    }

    @Test("they come out in the order they went in")
    func order() {
        let buffer = EventBuffer()
        for number in 1...5 { buffer.add(started(number)) }
        #expect(buffer.take(upTo: 2).map(\.clock) == [1, 2])
        #expect(buffer.take(upTo: 10).map(\.clock) == [3, 4, 5])
        #expect(buffer.take(upTo: 10).isEmpty)
    }

    @Test("a full buffer drops the oldest, and counts them")
    func full() {
        let buffer = EventBuffer(maximumCount: 16)
        var dropped = 0
        for number in 1...17 { dropped += buffer.add(started(number)) }
        #expect(dropped == 2)
        #expect(buffer.takeDropped() == 2)
        #expect(buffer.takeDropped() == 0)
        #expect(buffer.take(upTo: 100).map(\.clock) == Array(3...17))
    }

    @Test("large messages are bounded by their bytes, and one too large takes the place of all")
    func bytes() throws {
        let buffer = EventBuffer(maximumBytes: 10_000)
        for _ in 1...20 { buffer.add(try received(bytes: 1000)) }
        #expect(buffer.count <= 9)
        buffer.add(try received(bytes: 20_000))
        #expect(buffer.count == 1)
        #expect(buffer.take(upTo: 100).count == 1)
        buffer.add(started(1))
        buffer.add(started(2))
        #expect(buffer.count == 2)
    }

    @Test("a closed buffer takes nothing more and wakes who waits")
    func closed() async {
        let buffer = EventBuffer()
        buffer.add(started(1))
        await buffer.wait()
        #expect(buffer.take(upTo: 1).count == 1)
        buffer.close()
        await buffer.wait()
        buffer.add(started(2))
        #expect(buffer.count == 0)
    }
}
