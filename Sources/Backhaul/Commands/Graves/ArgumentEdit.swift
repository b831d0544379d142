import ArgumentParser
import Foundation
import JobModel

/// What an operator wants of the arguments of a message.
struct ArgumentEdit: Sendable {
    var args: [JSONValue]?
    var kwargs: JSONObject?
    var set: [(name: String, value: JSONValue)] = []
    var drop: [String] = []

    /// The body with these changes; `nil` for a body that cannot be read and is not given whole.
    func applied(to body: MessageBody?) -> MessageBody? {
        guard body != nil || (args != nil && kwargs != nil) else { return nil }
        var named = kwargs ?? body?.kwargs ?? JSONObject()
        for name in drop { named[name] = nil }
        for (name, value) in set { named[name] = value }
        return MessageBody(
            args: args ?? body?.args ?? [], kwargs: named, embed: body?.embed ?? JSONObject())
    }

    /// Names to drop that are not there: a slip of the pen.
    func missing(in body: MessageBody?) -> [String] {
        let named = kwargs ?? body?.kwargs ?? JSONObject()
        return drop.filter { named[$0] == nil }
    }
}

/// The difference between two bodies, one line for each place: `-` as it was, `+` as it will be.
enum ArgumentDiff {
    static func lines(_ old: MessageBody?, _ new: MessageBody) -> [String] {
        let before = old.map(leaves) ?? []
        let after = leaves(new)
        let was = Dictionary(before, uniquingKeysWith: { first, _ in first })
        let will = Dictionary(after, uniquingKeysWith: { first, _ in first })
        var paths: [String] = []
        for (path, _) in before + after where !paths.contains(path) { paths.append(path) }
        return paths.flatMap { path -> [String] in
            guard was[path] != will[path] else { return [] }
            return [was[path].map { "- \(path): \($0)" }, will[path].map { "+ \(path): \($0)" }]
                .compactMap(\.self)
        }
    }

    /// Every value within, with the way to it.
    private static func leaves(_ body: MessageBody) -> [(String, String)] {
        leaves(.array(body.args), "args") + leaves(.object(body.kwargs), "kwargs")
    }

    private static func leaves(_ value: JSONValue, _ path: String) -> [(String, String)] {
        switch value {
        case .array(let items) where !items.isEmpty:
            items.enumerated().flatMap { leaves($0.element, "\(path)[\($0.offset)]") }
        case .object(let members) where !members.isEmpty:
            members.flatMap { leaves($0.value, "\(path).\($0.key)") }
        // An empty list or object is no value of its own at the top.
        case .array, .object:
            path == "args" || path == "kwargs"
                ? [] : [(path, String(decoding: value.encoded(.python), as: UTF8.self))]
        default: [(path, String(decoding: value.encoded(.python), as: UTF8.self))]
        }
    }
}
