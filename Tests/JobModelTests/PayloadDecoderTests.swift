import Foundation
import Testing

@testable import JobModel

@Suite("PayloadDecoder")
struct PayloadDecoderTests {
    private struct Service: Codable, Equatable {
        let serviceID: Int

        enum CodingKeys: String, CodingKey { case serviceID = "service_id" }
    }
    private struct Mail: Codable, Equatable {
        let to: String
        let subject: String?
        var count: Int?
    }
    private struct Nothing: Codable, Equatable {}

    private func error<Payload: Decodable>(
        _ type: Payload.Type, _ args: [JSONValue], _ kwargs: JSONObject
    ) -> String? {
        do throws(PayloadError) {
            _ = try PayloadDecoder.decode(type, args: args, kwargs: kwargs)
            return nil
        } catch {
            return "\(error.code): \(error.message)"
        }
    }

    @Test("positional and keyword arguments bind alike")
    func binding() throws {
        let expected = Mail(to: "a", subject: "b", count: 3)
        for split in 0...3 {
            let values: [(String, JSONValue)] = [("to", "a"), ("subject", "b"), ("count", 3)]
            let mail = try PayloadDecoder.decode(
                Mail.self, args: values.prefix(split).map(\.1),
                kwargs: JSONObject(Array(values.dropFirst(split))))
            #expect(mail == expected)
        }
        #expect(
            try PayloadDecoder.decode(Mail.self, args: ["a"], kwargs: ["count": 3])
                == Mail(to: "a", subject: nil, count: 3))
        #expect(
            try PayloadDecoder.decode(Mail.self, args: ["a", nil, nil], kwargs: [:])
                == Mail(to: "a", subject: nil, count: nil))
    }

    @Test("a payload without properties takes no arguments")
    func nothing() throws {
        #expect(try PayloadDecoder.decode(Nothing.self, args: [], kwargs: [:]) == Nothing())
        #expect(
            error(Nothing.self, [1], [:])
                == "unexpected_argument: takes 0 positional arguments but 1 was given")
        #expect(
            error(Nothing.self, [], ["x": 1])
                == "unexpected_argument: unexpected keyword argument \"x\"")
    }

    @Test("errors are those of a Python call")
    func errors() {
        #expect(
            error(Service.self, [], [:])
                == "missing_argument: missing required argument \"service_id\"")
        #expect(
            error(Service.self, [1], ["x": 2])
                == "unexpected_argument: unexpected keyword argument \"x\"")
        #expect(
            error(Service.self, [1, 2], [:])
                == "unexpected_argument: takes 1 positional argument but 2 were given")
        #expect(
            error(Service.self, [1], ["service_id": 1])
                == "duplicate_argument: got multiple values for argument \"service_id\"")
        #expect(
            error(Service.self, ["1"], [:])
                == "wrong_type: argument \"service_id\" must be an integer, not a string")
        #expect(
            error(Service.self, [nil], [:])
                == "wrong_type: argument \"service_id\" must be an integer, not null")
        #expect(
            error(Mail.self, [1, 2, 3, 4], [:])
                == "wrong_type: argument \"to\" must be a string, not an integer")
    }

    @Test("a payload that is one value or a list takes the arguments as they are")
    func undivided() throws {
        #expect(try PayloadDecoder.decode(Int.self, args: [5], kwargs: [:]) == 5)
        #expect(
            try PayloadDecoder.decode(JSONValue.self, args: [["a": 1]], kwargs: [:]) == ["a": 1])
        #expect(try PayloadDecoder.decode([Int].self, args: [1, 2, 3], kwargs: [:]) == [1, 2, 3])
        #expect(
            try PayloadDecoder.decode([String: Int].self, args: [], kwargs: ["a": 1, "b": 2])
                == ["a": 1, "b": 2])
        #expect(
            error(Int.self, [], [:]) == "missing_argument: missing 1 required positional argument")
        #expect(
            error(Int.self, [1, 2], [:])
                == "unexpected_argument: takes 1 positional argument but 2 were given")
        #expect(
            error(Int.self, [1], ["x": 1])
                == "unexpected_argument: unexpected keyword argument \"x\"")
    }

    @Test("defaults written in init(from:) are defaults of the call")
    func defaults() throws {
        struct Page: Codable, Equatable {
            var number: Int
            var size: Int
            init(from decoder: any Decoder) throws {
                let container = try decoder.container(keyedBy: CodingKeys.self)
                number = try container.decode(Int.self, forKey: .number)
                size = try container.decodeIfPresent(Int.self, forKey: .size) ?? 50
            }
        }
        #expect(try PayloadDecoder.decode(Page.self, args: [2], kwargs: [:]).size == 50)
        #expect(try PayloadDecoder.decode(Page.self, args: [2, 7], kwargs: [:]).size == 7)
    }

    @Test("no error repeats a value, not even one thrown by the standard library")
    func secrets() throws {
        enum Kind: String, Codable { case one }
        struct Payload: Codable {
            let kind: Kind
            let at: Date?
            let key: UUID?
        }
        let secret: JSONValue = "hunter2"
        for kwargs: JSONObject in [
            ["kind": secret], ["kind": "one", "at": secret], ["kind": "one", "key": secret],
        ] {
            let message = try #require(error(Payload.self, [], kwargs))
            #expect(!message.contains("hunter2"))
        }
        #expect(
            error(Payload.self, [secret], [:])
                == "wrong_type: argument \"kind\" has a value that cannot be used")
    }
}
