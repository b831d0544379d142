import TestSupport
import Testing

@testable import HTTP

@Suite("Who may start next")
struct AdmissionQueueTests {
    @Test("a busy origin takes only its share; the others pass it")
    func fairness() throws {
        var queue = AdmissionQueue<String>(slots: 10, slotsPerOrigin: 2)
        for index in 1...5 { queue.append("slow\(index)", origin: "slow") }
        queue.append("quick1", origin: "quick")
        var started: [String] = []
        var slow: AdmissionQueue<String>.Line?
        while let next = queue.next() {
            started.append(next.element)
            if next.element == "slow1" { slow = next.line }
        }
        #expect(started == ["slow1", "quick1", "slow2"])
        #expect(queue.count == 3)
        queue.finish(try #require(slow))
        #expect(queue.next()?.element == "slow3")
        #expect(queue.next() == nil)
    }

    @Test("no more start than there are slots")
    func slots() throws {
        var queue = AdmissionQueue<Int>(slots: 3, slotsPerOrigin: 3)
        for index in 0..<6 { queue.append(index, origin: "o\(index)") }
        let started = (0..<4).map { _ in queue.next() }
        #expect(started.map(\.?.element) == [0, 1, 2, nil])
        queue.finish(try #require(started[1]).line)
        #expect((0..<2).map { _ in queue.next()?.element } == [3, nil])
    }

    @Test("whoever is taken out of the line is never started, and the line moves on")
    func removal() throws {
        var queue = AdmissionQueue<Int>(slots: 1, slotsPerOrigin: 1)
        for index in 0..<6 { queue.append(index, origin: index < 3 ? "a" : "b") }
        #expect(queue.removeAll { $0.isMultiple(of: 2) || $0 == 1 }.sorted() == [0, 1, 2, 4])
        #expect(queue.count == 2)
        for expected in [3, 5] {
            let admitted = queue.next()
            let next = try #require(admitted)
            #expect(next.element == expected)
            queue.finish(next.line)
        }
        #expect(queue.next() == nil)
        #expect(queue.count == 0)
    }

    @Test("more origins than are remembered take their turns all the same")
    func manyOrigins() throws {
        var queue = AdmissionQueue<Int>(slots: 4, slotsPerOrigin: 1)
        for round in 0..<3 {
            for origin in 0..<1000 { queue.append(origin, origin: "o\(origin)") }
            _ = queue.removeAll { $0 % 3 == round }
            for origin in 0..<1000 where origin % 3 != round {
                let admitted = queue.next()
                let next = try #require(admitted)
                #expect(next.element == origin)
                queue.finish(next.line)
            }
            #expect(queue.next() == nil)
        }
    }

    @Test("any sequence of steps keeps the order within an origin and both limits")
    func model() {
        let seed = UInt64.random(in: .min ... .max)
        var random = RepeatableRandom(seed: seed)
        var queue = AdmissionQueue<[Int]>(slots: 5, slotsPerOrigin: 2)
        var lines: [Int: [Int]] = [:]
        var active: [(origin: Int, line: AdmissionQueue<[Int]>.Line)] = []
        var serial = 0
        for _ in 0..<5000 {
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<4:
                let origin = Int.random(in: 0..<6, using: &random)
                serial += 1
                lines[origin, default: []].append(serial)
                queue.append([origin, serial], origin: "\(origin)")
            case 4..<7:
                let eligible = lines.filter { line in
                    !line.value.isEmpty && active.count(where: { $0.origin == line.key }) < 2
                }
                let next = queue.next()
                #expect(
                    (next == nil) == (active.count == 5 || eligible.isEmpty), "seed \(seed)")
                guard let next else { continue }
                let (origin, number) = (next.element[0], next.element[1])
                #expect(lines[origin]?.removeFirst() == number, "seed \(seed)")
                #expect(eligible.keys.contains(origin), "seed \(seed)")
                active.append((origin, next.line))
            case 7..<9:
                guard let index = active.indices.randomElement(using: &random) else { continue }
                queue.finish(active.remove(at: index).line)
            default:
                let remainder = Int.random(in: 0..<8, using: &random)
                _ = queue.removeAll { $0[1] % 8 == remainder }
                for origin in lines.keys { lines[origin]?.removeAll { $0 % 8 == remainder } }
            }
            #expect(queue.count == lines.values.map(\.count).reduce(0, +), "seed \(seed)")
        }
    }
}
