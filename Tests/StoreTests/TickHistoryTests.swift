import Foundation
import Postgres
import Store
import TestSupport
import Testing

@Suite("The history of ticks")
struct TickHistoryTests {
    private let due = Date(timeIntervalSince1970: 1_800_000_000)

    private func line(
        _ event: TickLine.Event, entry: String = "a", due offset: Double = 0, at: Double = 1,
        job: String? = nil, missed: Int = 0
    ) -> TickLine {
        TickLine(
            entry: entry, dueAt: due + offset, at: due + offset + at, job: job, event: event,
            missed: missed)
    }

    private func with(_ body: (TickHistoryRepository) async throws -> Void) async throws {
        try await MigratedDatabase.with { try await body(TickHistoryRepository(pool: $0)) }
    }

    private func all(_ history: TickHistoryRepository) async throws -> [TickRow] {
        try await history.newest(.init())
    }

    @Test("decision and end become one row, in one go or in two, however often they are added")
    func idempotent() async throws {
        let lines = [
            line(.decided("enqueued"), job: "1", missed: 3),
            line(.ended("SUCCESS"), at: 9, job: "1"),
        ]
        let row = TickRow(
            entry: "a", dueAt: due, decidedAt: due + 1, job: "1", outcome: "enqueued", missed: 3,
            endedAt: due + 9, endedState: "SUCCESS")
        for parts in [
            [lines], [[lines[0]], [lines[1]]], [lines, lines], [[lines[1]], [lines[0]]],
        ] {
            try await with { history in
                for part in parts { try await history.add(part) }
                #expect(try await all(history) == [row])
                try await history.add([lines[0]])
                #expect(try await all(history) == [row])
            }
        }
    }

    @Test("a tick that waited and was enqueued counts as enqueued, whatever comes late")
    func waiting() async throws {
        let waiting = line(.decided("waiting"), at: 1, missed: 2)
        let enqueued = line(.decided("enqueued"), at: 5, job: "1")
        for parts in [[[waiting, enqueued]], [[waiting], [enqueued]], [[enqueued], [waiting]]] {
            try await with { history in
                for part in parts { try await history.add(part) }
                try await history.add([waiting])
                let rows = try await all(history)
                #expect(rows.map(\.outcome) == ["enqueued"])
                #expect(rows.map(\.job) == ["1"])
                #expect(rows.map(\.lateness) == [5])
                #expect(rows.map(\.missed) == [2])
            }
        }
    }

    @Test("runs by hand are rows of their own, also at one time, and each has its own end")
    func triggered() async throws {
        // They say the due time of the tick that they stand for, and end it or a run: not both.
        let lines = [
            line(.decided("enqueued"), job: "tick"),
            line(.decided(TickLine.triggered), due: 30, at: 0, job: "x"),
            line(.decided(TickLine.triggered), due: 30, at: 0, job: "y"),
            line(.ended("FAILURE"), at: 40, job: "y"), line(.ended("SUCCESS"), at: 41, job: "tick"),
            line(.ended("REVOKED"), at: 42, job: "nobody's"),
        ]
        for parts in [
            [lines], lines.map { [$0] }, [Array(lines[3...]), Array(lines[..<3]), lines],
        ] {
            try await with { history in
                for part in parts { try await history.add(part) }
                let ends = Dictionary(
                    uniqueKeysWithValues: try await all(history).filter { $0.decidedAt != nil }
                        .map { ($0.job ?? "", $0.endedState) })
                #expect(ends == ["tick": "SUCCESS", "x": nil, "y": "FAILURE"])
            }
        }
    }

    @Test("an end whose tick is unknown is kept")
    func endAlone() async throws {
        try await with { history in
            try await history.add([line(.ended("SUCCESS"), job: "1")])
            let rows = try await all(history)
            #expect(rows.map(\.decidedAt) == [nil])
            #expect(rows.map(\.endedState) == ["SUCCESS"])
        }
    }

    @Test("rows are found by entry, time and outcome, the newest first")
    func filters() async throws {
        try await with { history in
            try await history.add(
                (0..<5).map { line(.decided("enqueued"), due: Double($0) * 60, job: "\($0)") } + [
                    line(.decided("misfire"), entry: "b", due: 30),
                    line(.ended("FAILURE"), due: 60, job: "1"),
                ])
            var filter = TickHistoryRepository.Filter()
            filter.entry = "a"
            filter.limit = 2
            #expect(try await history.newest(filter).map(\.job) == ["4", "3"])
            filter = .init()
            filter.since = due + 180
            #expect(try await history.newest(filter).map(\.job) == ["4", "3"])
            filter = .init()
            filter.outcome = "FAILURE"
            #expect(try await history.newest(filter).map(\.job) == ["1"])
            filter.outcome = "misfire"
            #expect(try await history.newest(filter).map(\.entry) == ["b"])
            let last = try await history.newest(of: ["a", "b", "c"])
            #expect(last.map(\.dueAt) == [due + 240, due + 30])
        }
    }

    @Test("eight writers with the same lines leave each tick once and none is refused")
    func race() async throws {
        try await with { history in
            let lines = (0..<200).flatMap { number in
                [
                    line(
                        .decided("enqueued"), entry: "e\(number % 7)", due: Double(number),
                        job: "\(number)"),
                    line(
                        .ended("SUCCESS"), entry: "e\(number % 7)", due: Double(number), at: 3,
                        job: "\(number)"),
                ]
            }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for shift in 0..<8 {
                    group.addTask {
                        let start = shift * 50
                        for part in [lines[start...], lines[..<start]] {
                            try await history.add(Array(part))
                        }
                    }
                }
                try await group.waitForAll()
            }
            var filter = TickHistoryRepository.Filter()
            filter.limit = 1000
            let rows = try await history.newest(filter)
            #expect(rows.count == 200)
            #expect(rows.allSatisfy { $0.endedState == "SUCCESS" && $0.decidedAt != nil })
        }
    }
}
