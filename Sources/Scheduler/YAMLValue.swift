import JobModel
import Yams

/// Reads YAML nodes by the core schema of YAML 1.2.
///
/// Yams resolves plain scalars by YAML 1.1, where `on` is true, `12:30` is 750 and a date is a
/// timestamp. Arguments of a job must be what their author sees, so the resolution is our own.
/// Source: https://yaml.org/spec/1.2.2/ section 10.3.2.
enum YAMLValue {
    /// The deepest nesting of arrays and objects.
    static let maximumDepth = 64

    /// A value that has no JSON form.
    struct Failure: Error {
        let line: Int?
        let problem: String
    }

    /// The JSON value a node stands for.
    static func json(_ node: Node, depth: Int = 0) throws(Failure) -> JSONValue {
        guard depth <= maximumDepth else {
            throw Failure(
                line: node.mark?.line, problem: "is nested deeper than \(maximumDepth) levels")
        }
        switch node {
        case .scalar(let scalar):
            return try json(scalar)
        case .sequence(let sequence):
            var values: [JSONValue] = []
            for element in sequence { values.append(try json(element, depth: depth + 1)) }
            return .array(values)
        case .mapping(let mapping):
            return .object(try object(mapping, depth: depth))
        case .alias:
            throw Failure(line: node.mark?.line, problem: "has an alias that leads nowhere")
        }
    }

    /// The JSON object a mapping stands for.
    static func object(_ mapping: Node.Mapping, depth: Int = 0) throws(Failure) -> JSONObject {
        var object = JSONObject()
        for (key, value) in mapping {
            guard let name = key.scalar?.string, name != "<<" else {
                let hint = key.mapping == nil ? "" : "; a template stands in quotes: \"{{ … }}\""
                throw Failure(
                    line: key.mark?.line, problem: "has a key that is not a plain name\(hint)")
            }
            object[name] = try json(value, depth: depth + 1)
        }
        return object
    }

    /// Whether nothing was written after the key, or `null`.
    static func isNull(_ node: Node) -> Bool {
        guard let scalar = node.scalar, isPlain(scalar) else { return false }
        return ["", "~", "null", "Null", "NULL"].contains(scalar.string)
    }

    private static func isPlain(_ scalar: Node.Scalar) -> Bool {
        scalar.style == .plain || scalar.style == .any
    }

    private static func json(_ scalar: Node.Scalar) throws(Failure) -> JSONValue {
        let text = scalar.string
        // The tag's text is compared, because asking Yams to resolve it would apply YAML 1.1.
        guard isPlain(scalar), scalar.tag.description != Tag.Name.str.rawValue else {
            return .string(text)
        }
        switch text {
        case "", "~", "null", "Null", "NULL": return .null
        case "true", "True", "TRUE": return .bool(true)
        case "false", "False", "FALSE": return .bool(false)
        case ".nan", ".NaN", ".NAN", ".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF", "-.inf",
            "-.Inf", "-.INF":
            throw Failure(
                line: scalar.mark?.line, problem: "has \(text), which JSON cannot hold")
        default: break
        }
        if let number = try integer(text, line: scalar.mark?.line) ?? decimal(text) {
            return .number(JSONNumber(text: number))
        }
        return .string(text)
    }

    /// `[-+]?[0-9]+`, `0o[0-7]+` or `0x[0-9a-fA-F]+`, as JSON writes it.
    private static func integer(_ text: String, line: Int?) throws(Failure) -> String? {
        for (prefix, radix) in [("0x", 16), ("0o", 8)] where text.hasPrefix(prefix) {
            let digits = text.dropFirst(prefix.count)
            guard digits.first?.isHexDigit == true else { return nil }
            guard digits.allSatisfy({ $0.isASCII && ($0.hexDigitValue ?? 16) < radix }) else {
                return nil
            }
            guard let value = Int64(digits, radix: radix) else {
                throw Failure(line: line, problem: "has \(text), which does not fit 64 bits")
            }
            return String(value)
        }
        let isNegative = text.hasPrefix("-")
        let digits = isNegative || text.hasPrefix("+") ? text.dropFirst() : Substring(text)
        guard !digits.isEmpty, isDigits(digits) else { return nil }
        let significant = digits.drop { $0 == "0" }
        return (isNegative && !significant.isEmpty ? "-" : "")
            + (significant.isEmpty ? "0" : String(significant))
    }

    /// `[-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?`, as JSON writes it.
    private static func decimal(_ text: String) -> String? {
        var rest = Substring(text)
        let sign = rest.first == "-" ? "-" : ""
        if rest.first == "-" || rest.first == "+" { rest = rest.dropFirst() }
        let whole = rest.prefix { isDigit($0) }
        rest = rest.dropFirst(whole.count)
        var fraction: Substring = ""
        if rest.first == "." {
            fraction = rest.dropFirst().prefix { isDigit($0) }
            rest = rest.dropFirst(1 + fraction.count)
        }
        guard !whole.isEmpty || !fraction.isEmpty else { return nil }
        var exponent = ""
        if rest.first == "e" || rest.first == "E" {
            rest = rest.dropFirst()
            exponent = "e"
            if rest.first == "-" || rest.first == "+" {
                exponent.append(rest.removeFirst())
            }
            guard !rest.isEmpty, isDigits(rest) else { return nil }
            exponent += rest
            rest = ""
        }
        guard rest.isEmpty else { return nil }
        let significant = whole.drop { $0 == "0" }
        return sign + (significant.isEmpty ? "0" : significant) + "."
            + (fraction.isEmpty ? "0" : fraction) + exponent
    }

    private static func isDigits(_ text: Substring) -> Bool { text.allSatisfy(isDigit) }

    private static func isDigit(_ character: Character) -> Bool {
        character.isASCII && character.isNumber
    }
}
