import Glibc
import Mailbox
import ProcessControl
import Testing

@Suite("A child's line to its parent", .timeLimit(.minutes(1)))
struct LifelineTests {
    private let parent: Int32
    private let lifeline: Lifeline

    init() throws {
        var ends: [Int32] = [-1, -1]
        let kind = Int32(SOCK_SEQPACKET.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let failure = unsafe socketpair(AF_UNIX, kind, 0, &ends)
        try #require(failure == 0)
        parent = ends[0]
        lifeline = try #require(Lifeline(inherited: ends[1]))
    }

    @Test("lines arrive whole")
    func lines() {
        #expect(lifeline.send(Array("one".utf8)))
        #expect(lifeline.send(Array("two".utf8)))
        var buffer = [UInt8](repeating: 0, count: 100)
        let count = unsafe recv(parent, &buffer, buffer.count, 0)
        #expect(buffer.prefix(max(count, 0)) == ArraySlice("one".utf8))
        close(parent)
    }

    @Test("the end of the parent is seen once, at once; then one only waits")
    func orphaned() {
        close(parent)
        #expect(lifeline.wait(for: .seconds(60)) == .orphaned)
        #expect(lifeline.wait(for: .milliseconds(1)) == .elapsed)
        #expect(!lifeline.send([1]))
    }

    @Test("a line that nobody reads fills up, and what is too much is dropped")
    func full() {
        let line = [UInt8](repeating: 120, count: 1000)
        var sent = 0
        while lifeline.send(line), sent < 100_000 { sent += 1 }
        #expect(sent > 0 && sent < 100_000)
        close(parent)
    }

    @Test("a wait is ended from another thread")
    func woken() {
        let lifeline = lifeline
        let waker = OwnerThread(name: "waker") { lifeline.wake() }
        #expect(lifeline.wait(for: .seconds(60)) == .woken)
        waker.join()
        close(parent)
    }

    @Test("what is no such line is refused")
    func noLine() {
        #expect(Lifeline(inherited: 1_000_000) == nil)
        #expect(Lifeline(inherited: 0) == nil)
        close(parent)
    }
}
