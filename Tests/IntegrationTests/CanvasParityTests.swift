import Foundation
import JobModel
import TestSupport
import Testing

/// What is written for a canvas, in a form in which two publishers can be compared: ids are numbered
/// as they occur, what is null or empty is left out.
private struct Comparable: Equatable {
    let json: JSONValue

    init(_ json: JSONValue) {
        var names: [String: String] = [:]
        self.json = Self.plain(json, &names) ?? .null
    }

    /// `reply_to` is for another backend; `add_to_parent` is for the publisher itself.
    private static let ignored: Set = ["reply_to", "add_to_parent"]

    private static func plain(_ value: JSONValue, _ names: inout [String: String]) -> JSONValue? {
        switch value {
        case .null: return nil
        case .string(let text):
            guard UUID(uuidString: text) != nil else { return value }
            let name = names[text] ?? "id \(names.count)"
            names[text] = name
            return .string(name)
        case .array(let items):
            let kept = items.map { plain($0, &names) ?? .null }
            return kept.isEmpty ? nil : .array(kept)
        case .object(let members):
            var kept: [(String, JSONValue)] = []
            for key in members.keys.sorted() where !ignored.contains(key) {
                guard let value = members[key], let plain = plain(value, &names) else { continue }
                kept.append((Self.plain(.string(key), &names)?.stringValue ?? key, plain))
            }
            return kept.isEmpty ? nil : .object(JSONObject(kept))
        case .bool, .number: return value
        }
    }
}

extension OutgoingMessage {
    fileprivate var seen: JSONValue {
        [
            "task": .string(name.text), "id": .string(id.text),
            "group": groupID.map(JSONValue.string) ?? .null, "group_index": groupIndex,
            "root_id": .string(rootID ?? id.text),
            "parent_id": parentID.map(JSONValue.string) ?? .null, "eta": .bool(eta != nil),
            "priority": .number(JSONNumber(priority.value)), "args": .array(body.args),
            "embed": .object(body.embed),
        ]
    }
}

/// Bodies are single tasks here: of compositions in a body, Celery writes the outer chord into more
/// places than the one that is read.
@Suite("A canvas sent by Swift and by Python", .timeLimit(.minutes(5)))
struct CanvasParityTests {
    private static let seed = 20_261_125
    private static let count = 150

    @Test("is the same messages, chord sizes, saved groups and result")
    func parity() async throws {
        let fleet = try await MixedFleet()
        let seed = ProcessInfo.processInfo.environment["CANVAS_SEED"] ?? "\(Self.seed)"
        let lines = try await fleet.celery.run("canvases.py", [seed, "\(Self.count)"])
            .split(separator: "\n")
        #expect(lines.count == Self.count)
        var differing = 0
        for line in lines {
            let python = try JSONValue(parsing: Array(line.utf8))
            let signature = try Signature(json: python["signature"] ?? .null)
            let (publication, sent) = try CanvasPublisher(now: Date()).publication(of: signature)
            let swift: JSONValue = [
                "messages": .array(publication.messages.map(\.seen)),
                "sizes": .object(
                    JSONObject(
                        publication.chordSizes.map {
                            ($0.group, JSONValue.number(JSONNumber($0.size)))
                        })),
                "saved": .object(
                    JSONObject(
                        publication.savedGroups.map { ($0.group, $0.record["result"] ?? .null) })),
                "result": .string(sent.id.text),
            ]
            let theirs: JSONValue = [
                "messages": python["messages"] ?? .null, "sizes": python["sizes"] ?? .null,
                "saved": python["saved"] ?? .null, "result": resultID(of: python["result"]),
            ]
            guard Comparable(swift) != Comparable(theirs) else { continue }
            differing += 1
            guard differing <= 3 else { continue }
            Issue.record(
                """
                canvas \(python["number"]?.intValue ?? -1) of seed \(seed)
                signature \(text(python["signature"] ?? .null))
                Swift  \(text(Comparable(swift).json))
                Python \(text(Comparable(theirs).json))
                """)
        }
        #expect(differing == 0)
    }

    /// Of a chord inside a chord Celery names groups in the tree of results that it never sends: only
    /// the root is compared.
    private func resultID(of tuple: JSONValue?) -> JSONValue {
        tuple?.arrayValue?.first?.arrayValue?.first ?? .null
    }

    private func text(_ value: JSONValue) -> String {
        String(decoding: value.encoded(), as: UTF8.self)
    }
}
