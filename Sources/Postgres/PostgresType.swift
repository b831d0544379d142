/// The types of parameters, by the object ids of `pg_type.dat`.
package struct PostgresType: Hashable, Sendable {
    let oid: UInt32
    let arrayOID: UInt32

    /// Left to the server to infer: text where nothing else fits.
    package static let unspecified = PostgresType(oid: 0, arrayOID: 1009)
    package static let bool = PostgresType(oid: 16, arrayOID: 1000)
    package static let bytea = PostgresType(oid: 17, arrayOID: 1001)
    package static let int8 = PostgresType(oid: 20, arrayOID: 1016)
    package static let int2 = PostgresType(oid: 21, arrayOID: 1005)
    package static let int4 = PostgresType(oid: 23, arrayOID: 1007)
    package static let float8 = PostgresType(oid: 701, arrayOID: 1022)
    package static let timestamptz = PostgresType(oid: 1184, arrayOID: 1185)
    package static let uuid = PostgresType(oid: 2950, arrayOID: 2951)
    package static let jsonb = PostgresType(oid: 3802, arrayOID: 3807)

    /// The type of an array of this type; arrays always need one, or `unnest` cannot be resolved.
    var array: PostgresType { PostgresType(oid: arrayOID, arrayOID: arrayOID) }
}
