import Testing

@testable import Mailbox

@Suite("Mailbox")
struct MailboxTests {
    @Test("a burst wakes the owner once, and is drained in order")
    func burst() throws {
        let wakes = Locked(0)
        let mailbox = Mailbox<Int>(limit: 100) { wakes.withLock { $0 += 1 } }
        for number in 0..<50 { try mailbox.send(number) }
        #expect(wakes.withLock { $0 } == 1)
        #expect(mailbox.drain() == Array(0..<50))
        try mailbox.send(50)
        #expect(wakes.withLock { $0 } == 2)
        #expect(mailbox.drain() == [50])
    }

    @Test("a full box refuses, and takes again once drained")
    func full() throws {
        let mailbox = Mailbox<Int>(limit: 2) {}
        try mailbox.send(1)
        try mailbox.send(2)
        #expect(throws: Mailbox<Int>.Refusal.full) { try mailbox.send(3) }
        #expect(mailbox.drain() == [1, 2])
        try mailbox.send(3)
    }

    @Test("a closed box refuses, and gives back what was never taken")
    func closed() throws {
        let mailbox = Mailbox<Int>(limit: 2) {}
        try mailbox.send(1)
        #expect(!mailbox.isClosed)
        #expect(mailbox.close() == [1])
        #expect(mailbox.isClosed)
        #expect(throws: Mailbox<Int>.Refusal.closed) { try mailbox.send(2) }
        #expect(mailbox.drain().isEmpty)
    }

    @Test("nothing is lost or doubled between many senders and one owner")
    func manySenders() async {
        let senders = 8
        let each = 2000
        let bell = Bell()
        let mailbox = Mailbox<Int>(limit: senders * each) { bell.ring() }
        let taken = Locked([Int]())
        let owner = OwnerThread(name: "mailbox-test") {
            while taken.withLock({ $0.count }) < senders * each {
                bell.wait()
                let items = mailbox.drain()
                taken.withLock { $0 += items }
            }
        }
        await withTaskGroup(of: Void.self) { group in
            for sender in 0..<senders {
                group.addTask {
                    for number in 0..<each {
                        do { try mailbox.send(sender * each + number) } catch {
                            Issue.record("refused: \(error)")
                        }
                    }
                }
            }
        }
        owner.join()
        let all = taken.withLock { $0 }
        #expect(all.sorted() == Array(0..<(senders * each)))
        for sender in 0..<senders {
            let own = all.filter { $0 / each == sender }
            #expect(own == own.sorted())
        }
    }
}
