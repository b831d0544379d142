import Broker
import JobModel
import Testing

@testable import Worker

@Suite("Queue order")
struct QueueOrderTests {
    private let queues: [QueueName] = ["a", "b", "c"]

    @Test("priority steps come first, and within each the queues take turns")
    func turns() {
        let order = QueueOrder(queues)
        for turn in 0..<9 {
            let lists = order.lists(turn: turn)
            #expect(lists.count == 12)
            #expect(lists.map(\.step) == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3])
            for step in 0..<4 {
                let names = lists.filter { $0.step == step }.map(\.queue)
                #expect(names.first == queues[turn % 3])
                #expect(Set(names) == Set(queues))
            }
        }
    }
}

@Suite("Pace")
struct PaceTests {
    @Test("fetching ahead is for short jobs only, and begins only once they were seen")
    func brisk() {
        let pace = Pace()
        #expect(pace.batchesAhead(isFar: false) == 0)
        for _ in 0..<80 { pace.record(.milliseconds(5)) }
        #expect(pace.batchesAhead(isFar: false) == 1)
        for _ in 0..<80 { pace.record(.microseconds(50)) }
        #expect(pace.batchesAhead(isFar: false) == 2)
        #expect(pace.batchesAhead(isFar: true) == 3)
        for _ in 0..<50 { pace.record(.seconds(2)) }
        #expect(pace.batchesAhead(isFar: false) == 0)
    }
}

@Suite("Signals and gates")
struct SignalTests {
    @Test("raising twice before the wait counts once")
    func coalesces() async {
        let signal = Signal()
        signal.raise()
        signal.raise()
        await signal.wait()
        let passed = Log<Int>()
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                await signal.wait()
                passed.add(1)
            }
            #expect(passed.all.isEmpty)
            signal.raise()
        }
        #expect(passed.all == [1])
    }

    @Test("an unlocked gate cannot be closed again: nobody is locked in at the end")
    func unlocked() async {
        let gate = Gate()
        gate.unlock()
        gate.close()
        await gate.pass()
    }

    @Test("a gate holds many, and lets them all through")
    func gate() async {
        let gate = Gate()
        let passed = Log<Int>()
        await withTaskGroup(of: Void.self) { group in
            for number in 0..<10 {
                group.addTask {
                    await gate.pass()
                    passed.add(number)
                }
            }
            gate.open()
        }
        #expect(passed.all.count == 10)
    }
}
