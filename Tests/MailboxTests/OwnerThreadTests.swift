import Foundation
import Testing

@testable import Mailbox

@Suite("Owner thread")
struct OwnerThreadTests {
    @Test("the body runs on a thread of its own, under its name, and join waits for it")
    func runs() {
        let seen = Locked<String?>(nil)
        let owner = OwnerThread(name: "a-name-longer-than-fifteen") {
            let name = try? String(contentsOfFile: "/proc/thread-self/comm", encoding: .utf8)
            seen.withLock { $0 = name }
        }
        owner.join()
        owner.join()
        #expect(seen.withLock { $0 } == "a-name-longer-t\n")
    }

    @Test("a wakeup is readable once signalled, and not after it is cleared")
    func wakeup() {
        let bell = Bell()
        #expect(!bell.isRinging)
        bell.ring()
        bell.ring()
        #expect(bell.isRinging)
        bell.wait()
        #expect(!bell.isRinging)
    }
}

@Suite("Locked")
struct LockedTests {
    private struct Refused: Error {}

    @Test("no increment is lost between tasks")
    func increments() async {
        let count = Locked(0)
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<16 {
                group.addTask { for _ in 0..<1000 { count.withLock { $0 += 1 } } }
            }
        }
        #expect(count.withLock { $0 } == 16_000)
    }

    @Test("an error passes through, and the lock is free again")
    func errors() {
        let value = Locked(1)
        #expect(throws: Refused.self) {
            try value.withLock { (value) throws(Refused) -> Int in
                value = 2
                throw Refused()
            }
        }
        #expect(value.withLock { $0 } == 2)
    }
}
