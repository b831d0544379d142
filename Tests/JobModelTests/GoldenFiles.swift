import Foundation
import Testing

@testable import JobModel

/// Messages and results captured from real Celery by `scripts/capture-golden.py`.
struct GoldenFile: CustomTestStringConvertible, Sendable {
    let name: String
    let bytes: [UInt8]
    /// `message` or `result`.
    let kind: String
    /// What Python decoded it to.
    let expected: JSONObject

    var testDescription: String { name }

    static let all: [GoldenFile] = {
        do { return try load() } catch { fatalError("the golden files cannot be read: \(error)") }
    }()

    static var messages: [GoldenFile] { all.filter { $0.kind == "message" } }
    static var decodable: [GoldenFile] { messages.filter { $0.expected["error"] == .null } }
    static var undecodable: [GoldenFile] { messages.filter { $0.expected["error"] != .null } }
    static var results: [GoldenFile] { all.filter { $0.kind == "result" } }

    /// The message of that name.
    static func bytes(_ name: String) throws -> [UInt8] {
        guard let file = all.first(where: { $0.name == name }) else { throw Missing(name: name) }
        return file.bytes
    }

    struct Missing: Error { let name: String }

    private static func load() throws -> [GoldenFile] {
        guard let folder = Bundle.module.url(forResource: "Golden", withExtension: nil) else {
            throw Missing(name: "Golden")
        }
        let index = try JSONValue(
            parsing: [UInt8](Data(contentsOf: folder.appending(path: "index.json"))))
        return try (index.arrayValue ?? []).map { entry in
            guard let file = entry["file"]?.stringValue, let kind = entry["kind"]?.stringValue,
                let expected = entry["expect"]?.objectValue
            else { throw Missing(name: "index.json") }
            return GoldenFile(
                name: String(file.dropLast(".json".count)),
                bytes: [UInt8](try Data(contentsOf: folder.appending(path: file))), kind: kind,
                expected: expected)
        }
    }
}

/// The envelope of a message that needs no more than the least, with parts replaced by JSON text.
func envelope(
    task: String? = "\"t\"", id: String? = "\"i\"", headers: String = "",
    body: String = "[[], {}, {}]", contentType: String? = "\"application/json\"",
    properties: String = ""
) -> [UInt8] {
    var parts = ["\"body\": \"\(Base64.encoded([UInt8](body.utf8)))\""]
    if let contentType { parts.append("\"content-type\": \(contentType)") }
    var head: [String] = []
    if let task { head.append("\"task\": \(task)") }
    if let id { head.append("\"id\": \(id)") }
    if !headers.isEmpty { head.append(headers) }
    parts.append("\"headers\": {\(head.joined(separator: ", "))}")
    let more = properties.isEmpty ? "" : ", \(properties)"
    parts.append(
        """
        "properties": {"body_encoding": "base64", "delivery_tag": "d", \
        "delivery_info": {"exchange": "", "routing_key": "celery"}\(more)}
        """)
    return [UInt8]("{\(parts.joined(separator: ", "))}".utf8)
}

/// Reads an envelope with the default limits.
func message(_ raw: [UInt8]) throws(MessageError) -> JobMessage {
    try JobMessage(decoding: raw, limits: WireLimits())
}

/// The error of reading an envelope and its body, if there is one.
func failure(_ raw: [UInt8], limits: WireLimits = WireLimits()) -> MessageError? {
    do throws(MessageError) {
        _ = try JobMessage(decoding: raw, limits: limits).body(limits: limits)
        return nil
    } catch {
        return error
    }
}
