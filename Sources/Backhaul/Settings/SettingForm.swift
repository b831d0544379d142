import Foundation

/// A value as it was written, before it is understood.
enum RawSetting: Sendable, Equatable {
    /// A YAML null, or a variable set to nothing.
    case nothing
    case text(String)
    case list([String])
}

/// Why a written value cannot be used: a phrase that follows the key, such as `must be 1…4096`.
struct SettingRefusal: Error, Equatable {
    let reason: String

    init(_ reason: String) { self.reason = reason }
}

/// How a kind of value is written, checked and shown.
struct SettingForm<Value: Sendable>: Sendable {
    /// What is accepted, for the documents: `whole number, 1…4096`.
    let accepts: String
    let unit: String?
    let isSecret: Bool
    let parse: @Sendable (RawSetting) throws(SettingRefusal) -> Value
    /// The value as it would be written in the file; `nil` when it is not set.
    let show: @Sendable (Value) -> String?

    init(
        accepts: String, unit: String? = nil, isSecret: Bool = false,
        show: @escaping @Sendable (Value) -> String?,
        parse: @escaping @Sendable (RawSetting) throws(SettingRefusal) -> Value
    ) {
        self.accepts = accepts
        self.unit = unit
        self.isSecret = isSecret
        self.parse = parse
        self.show = show
    }
}

extension RawSetting {
    /// The one text that was written.
    func onlyText(_ accepts: String) throws(SettingRefusal) -> String {
        switch self {
        case .text(let text): return text
        case .nothing: throw SettingRefusal("has no value; it takes \(accepts)")
        case .list: throw SettingRefusal("holds a list; it takes \(accepts)")
        }
    }

    /// The items of a YAML list, or of text separated by commas.
    var items: [String] {
        switch self {
        case .nothing: []
        case .list(let items): items
        case .text(let text):
            text.split(separator: ",", omittingEmptySubsequences: false)
                .map { $0.trimmingCharacters(in: .whitespaces) }
        }
    }
}

extension SettingForm where Value == Int {
    static func wholeNumber(_ range: ClosedRange<Int>, unit: String? = nil) -> Self {
        let accepts = "a whole number, \(range.lowerBound)…\(range.upperBound)"
        return SettingForm(accepts: accepts, unit: unit, show: \.description) {
            raw throws(SettingRefusal) in
            let text = try raw.onlyText(accepts)
            guard let number = Int(text) else {
                throw SettingRefusal("must be \(accepts), not “\(text)”")
            }
            guard range.contains(number) else {
                throw SettingRefusal("must be \(accepts), not \(number)")
            }
            return number
        }
    }
}

extension SettingForm where Value == Duration {
    /// Seconds, to the millisecond: `10` or `0.5`.
    static func seconds(_ range: ClosedRange<Double>) -> Self {
        let least = Duration.seconds(range.lowerBound).secondsText
        let most = Duration.seconds(range.upperBound).secondsText
        let accepts = "a number, \(least)…\(most)"
        return SettingForm(accepts: accepts, unit: "seconds", show: \.secondsText) {
            raw throws(SettingRefusal) in
            let text = try raw.onlyText(accepts)
            guard let number = Double(text), range.contains(number) else {
                throw SettingRefusal("must be \(accepts) (seconds), not “\(text)”")
            }
            return .milliseconds(Int64((number * 1000).rounded()))
        }
    }
}

extension Duration {
    /// Seconds as they are written in settings: `10` or `0.5`.
    var secondsText: String {
        guard components.attoseconds != 0 else { return String(components.seconds) }
        return String(Double(components.seconds) + Double(components.attoseconds) / 1e18)
    }
}

extension SettingForm where Value == Bool {
    static var truth: Self {
        SettingForm(accepts: "true or false", show: \.description) {
            raw throws(SettingRefusal) in
            let text = try raw.onlyText("true or false")
            guard let value = Bool(text) else {
                throw SettingRefusal("must be true or false, not “\(text)”")
            }
            return value
        }
    }
}

extension SettingForm where Value == String {
    /// Any text, also none, of at most `maximumBytes`.
    static func text(maximumBytes: Int) -> Self {
        SettingForm(accepts: "text", show: \.self) { raw throws(SettingRefusal) in
            let text = raw == .nothing ? "" : try raw.onlyText("text")
            guard text.utf8.count <= maximumBytes else {
                throw SettingRefusal("is longer than \(maximumBytes) bytes")
            }
            guard
                !text.unicodeScalars.contains(where: { $0.properties.generalCategory == .control })
            else { throw SettingRefusal("holds a control character") }
            return text
        }
    }

    /// The path of a file, relative to the working directory.
    static var path: Self {
        SettingForm(accepts: "a path", show: \.self) { raw throws(SettingRefusal) in
            let text = try raw.onlyText("a path")
            guard !text.isEmpty else { throw SettingRefusal("is empty; it takes a path") }
            guard !text.utf8.contains(0) else { throw SettingRefusal("holds a zero byte") }
            return text
        }
    }
}

extension SettingForm where Value == Secret {
    /// A server's address, which may hold a password; `check` must not repeat it.
    static func secretURL(
        _ accepts: String, check: @escaping @Sendable (String) throws(SettingRefusal) -> Void
    ) -> Self {
        SettingForm(
            accepts: accepts, isSecret: true, show: \.description,
            parse: { raw throws(SettingRefusal) in
                let text = try raw.onlyText(accepts)
                try check(text)
                return .url(text)
            })
    }

    /// A password or key of at most 4096 bytes.
    static var secret: Self {
        SettingForm(accepts: "text", isSecret: true, show: \.description) {
            raw throws(SettingRefusal) in
            let text = try raw.onlyText("text")
            guard text.utf8.count <= 4096 else { throw SettingRefusal("is longer than 4096 bytes") }
            guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) else {
                throw SettingRefusal("holds a space, a control or a non-ASCII character")
            }
            return Secret(text)
        }
    }
}

extension SettingForm where Value: RawRepresentable & CaseIterable, Value.RawValue == String {
    static var choice: Self {
        let names = Value.allCases.map(\.rawValue)
        let accepts = "one of " + names.joined(separator: ", ")
        return SettingForm(accepts: accepts, show: \.rawValue) {
            raw throws(SettingRefusal) in
            let text = try raw.onlyText(accepts)
            guard let value = Value(rawValue: text) else {
                let hint = NearestName.hint(for: text, among: names)
                throw SettingRefusal("must be \(accepts), not “\(text)”\(hint)")
            }
            return value
        }
    }
}

extension SettingForm {
    /// The same form, where nothing written means not set.
    static func optional<Wrapped>(_ form: SettingForm<Wrapped>) -> Self
    where Value == Wrapped? {
        SettingForm(
            accepts: form.accepts, unit: form.unit, isSecret: form.isSecret,
            show: { $0.flatMap { form.show($0) } },
            parse: { raw throws(SettingRefusal) in
                raw == .nothing || raw == .text("") ? nil : try form.parse(raw)
            })
    }

    /// A list of at most `maximumCount` different items.
    static func list<Item: Sendable & Hashable>(
        of what: String, count: ClosedRange<Int>,
        show: @escaping @Sendable (Item) -> String,
        item: @escaping @Sendable (String) throws(SettingRefusal) -> Item
    ) -> Self where Value == [Item] {
        SettingForm(
            accepts: "a list of \(what)",
            show: { "[" + $0.map(show).joined(separator: ", ") + "]" },
            parse: { raw throws(SettingRefusal) in
                var items: [Item] = []
                for text in raw == .text("") ? [] : raw.items {
                    let next = try item(text)
                    guard !items.contains(next) else {
                        throw SettingRefusal("names “\(text)” twice")
                    }
                    items.append(next)
                }
                guard count.contains(items.count) else {
                    throw SettingRefusal(
                        "must hold \(count.lowerBound)…\(count.upperBound) \(what), not \(items.count)"
                    )
                }
                return items
            })
    }
}
