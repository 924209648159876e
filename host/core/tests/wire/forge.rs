//! Messages as an honest writer makes them, taken apart so that a test can spoil one number and leave the rest alone.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_ipc::writer::{DictionaryTracker, EncodedData, IpcDataGenerator, IpcWriteOptions, write_message};
use arrow_ipc::{
    BodyCompression, BodyCompressionArgs, BodyCompressionMethod, Buffer, CompressionType, DictionaryBatch,
    DictionaryBatchArgs, FieldNode, Message, MessageArgs, MessageHeader, MetadataVersion, RecordBatchArgs,
};
use arrow_schema::{Field, Schema};
use casparian_core::limits::{Budget, Limits};
use casparian_core::wire::{self, TableSchema};
use flatbuffers::{FlatBufferBuilder, UnionWIPOffset, WIPOffset};

/// Writes a schema message.
pub(crate) fn schema_message(schema: &Schema) -> Vec<u8> {
    let options = options(8);
    let mut tracker = DictionaryTracker::new(false);
    let encoded =
        IpcDataGenerator::default().schema_to_bytes_with_dictionary_tracker(schema, &mut tracker, &options);
    message(encoded, &options)
}

/// Writes a schema message of these fields.
pub(crate) fn schema_of(fields: impl IntoIterator<Item = Field>) -> Vec<u8> {
    schema_message(&Schema::new(fields.into_iter().collect::<Vec<_>>()))
}

/// Writes a record batch message whose buffers are aligned to `alignment`.
pub(crate) fn batch_message(batch: &RecordBatch, alignment: usize) -> Vec<u8> {
    let options = options(alignment);
    let mut tracker = DictionaryTracker::new(false);
    let generator = IpcDataGenerator::default();
    // The tracker learns the dictionaries of a schema while it is written.
    generator.schema_to_bytes_with_dictionary_tracker(&batch.schema(), &mut tracker, &options);
    let (_, encoded) = generator.encode(batch, &mut tracker, &options, &mut Default::default()).unwrap();
    message(encoded, &options)
}

fn options(alignment: usize) -> IpcWriteOptions {
    IpcWriteOptions::try_new(alignment, false, MetadataVersion::V5).unwrap()
}

fn message(encoded: EncodedData, options: &IpcWriteOptions) -> Vec<u8> {
    let mut written = Vec::new();
    write_message(&mut written, encoded, options).unwrap();
    written
}

/// Wraps metadata and body into a message.
pub(crate) fn encapsulate(metadata: &[u8], body: &[u8]) -> Vec<u8> {
    let padded = metadata.len().next_multiple_of(8);
    let mut written = vec![0xff; 4];
    written.extend(u32::try_from(padded).unwrap().to_le_bytes());
    written.extend(metadata);
    written.resize(8 + padded, 0);
    written.extend(body);
    written
}

/// Opens a budget of the default limits for a small input.
pub(crate) fn budget() -> Budget {
    Budget::new(&Limits::default(), 0)
}

/// Reads the schema that `batch` would be emitted under.
pub(crate) fn table(batch: &RecordBatch) -> TableSchema {
    wire::schema(&schema_message(&batch.schema())).unwrap()
}

/// A record batch message in parts.
#[derive(Clone)]
pub(crate) struct Forged {
    pub(crate) version: MetadataVersion,
    pub(crate) header: MessageHeader,
    pub(crate) rows: i64,
    pub(crate) nodes: Vec<(i64, i64)>,
    pub(crate) buffers: Vec<(i64, i64)>,
    pub(crate) compression: Option<CompressionType>,
    pub(crate) variadic: Option<Vec<i64>>,
    pub(crate) body: Vec<u8>,
    /// What the message says; the body's length where it says nothing else.
    pub(crate) body_length: Option<i64>,
}

impl Forged {
    /// Takes the message of a batch apart.
    pub(crate) fn of(batch: &RecordBatch) -> Self {
        Self::from_message(&batch_message(batch, 8))
    }

    pub(crate) fn from_message(message: &[u8]) -> Self {
        let length = u32::from_le_bytes(message[4..8].try_into().unwrap()) as usize;
        let body = message[8 + length..].to_vec();
        let metadata = arrow_ipc::root_as_message(&message[8..8 + length]).unwrap();
        let batch = metadata.header_as_record_batch().unwrap();
        Self {
            version: metadata.version(),
            header: metadata.header_type(),
            rows: batch.length(),
            nodes: batch.nodes().unwrap().iter().map(|node| (node.length(), node.null_count())).collect(),
            buffers: batch
                .buffers()
                .unwrap()
                .iter()
                .map(|buffer| (buffer.offset(), buffer.length()))
                .collect(),
            compression: None,
            variadic: None,
            body,
            body_length: None,
        }
    }

    /// Spoils a copy.
    pub(crate) fn with(&self, spoil: impl FnOnce(&mut Self)) -> Self {
        let mut spoilt = self.clone();
        spoil(&mut spoilt);
        spoilt
    }

    /// Overwrites bytes of a buffer.
    pub(crate) fn poke(&mut self, buffer: usize, at: usize, bytes: &[u8]) {
        let start = self.buffers[buffer].0 as usize + at;
        self.body[start..start + bytes.len()].copy_from_slice(bytes);
    }

    /// Puts the message together.
    pub(crate) fn message(&self) -> Vec<u8> {
        let mut fbb = FlatBufferBuilder::new();
        let batch = self.batch(&mut fbb);
        let header = match self.header {
            MessageHeader::DictionaryBatch => DictionaryBatch::create(
                &mut fbb,
                &DictionaryBatchArgs { id: 0, data: Some(batch), isDelta: false },
            )
            .as_union_value(),
            _ => batch.as_union_value(),
        };
        let args = MessageArgs {
            version: self.version,
            header_type: self.header,
            header: Some(header),
            bodyLength: self.body_length.unwrap_or(self.body.len() as i64),
            custom_metadata: None,
        };
        let root = Message::create(&mut fbb, &args);
        fbb.finish(root, None);
        encapsulate(fbb.finished_data(), &self.body)
    }

    fn batch<'f>(&self, fbb: &mut FlatBufferBuilder<'f>) -> WIPOffset<arrow_ipc::RecordBatch<'f>> {
        let nodes: Vec<FieldNode> =
            self.nodes.iter().map(|(length, nulls)| FieldNode::new(*length, *nulls)).collect();
        let buffers: Vec<Buffer> =
            self.buffers.iter().map(|(offset, length)| Buffer::new(*offset, *length)).collect();
        let nodes = Some(fbb.create_vector(&nodes));
        let buffers = Some(fbb.create_vector(&buffers));
        let compression = self.compression.map(|codec| {
            BodyCompression::create(
                fbb,
                &BodyCompressionArgs { codec, method: BodyCompressionMethod::BUFFER },
            )
        });
        let variadic = self.variadic.as_ref().map(|counts| fbb.create_vector(counts));
        let args = RecordBatchArgs {
            length: self.rows,
            nodes,
            buffers,
            compression,
            variadicBufferCounts: variadic,
        };
        arrow_ipc::RecordBatch::create(fbb, &args)
    }
}

/// A field that the honest writer would not write.
pub(crate) struct ForgedField {
    pub(crate) name: Option<&'static str>,
    pub(crate) type_type: arrow_ipc::Type,
    /// Writes the type's table.
    pub(crate) parameters: Box<WriteParameters>,
}

type WriteParameters = dyn Fn(&mut FlatBufferBuilder<'_>) -> WIPOffset<UnionWIPOffset>;

/// Writes a schema message of one forged field.
pub(crate) fn forged_schema(field: &ForgedField, endianness: arrow_ipc::Endianness) -> Vec<u8> {
    let mut fbb = FlatBufferBuilder::new();
    let name = field.name.map(|name| fbb.create_string(name));
    let type_ = Some((field.parameters)(&mut fbb));
    let args = arrow_ipc::FieldArgs {
        name,
        nullable: true,
        type_type: field.type_type,
        type_,
        ..Default::default()
    };
    let column = arrow_ipc::Field::create(&mut fbb, &args);
    let fields = Some(fbb.create_vector(&[column]));
    finish_schema(fbb, &arrow_ipc::SchemaArgs { endianness, fields, ..Default::default() })
}

/// Writes a schema message whose columns, so many of them, are all one and the same object: `levels` structs deep, each of
/// them made of `count` times the same child.
pub(crate) fn shared_field_schema(count: usize, levels: usize) -> Vec<u8> {
    let mut fbb = FlatBufferBuilder::new();
    let name = fbb.create_string("n");
    let parameters = arrow_ipc::Bool::create(&mut fbb, &arrow_ipc::BoolArgs {}).as_union_value();
    let args = arrow_ipc::FieldArgs {
        name: Some(name),
        type_type: arrow_ipc::Type::Bool,
        type_: Some(parameters),
        ..Default::default()
    };
    let mut field = arrow_ipc::Field::create(&mut fbb, &args);
    for _ in 1..levels {
        let children = Some(fbb.create_vector(&vec![field; count]));
        let type_ = Some(arrow_ipc::Struct_::create(&mut fbb, &arrow_ipc::Struct_Args {}).as_union_value());
        let args = arrow_ipc::FieldArgs {
            name: Some(name),
            type_type: arrow_ipc::Type::Struct_,
            type_,
            children,
            ..Default::default()
        };
        field = arrow_ipc::Field::create(&mut fbb, &args);
    }
    let fields = Some(fbb.create_vector(&vec![field; count]));
    finish_schema(fbb, &arrow_ipc::SchemaArgs { fields, ..Default::default() })
}

/// Writes a schema message of one column whose custom metadata are so many times the same pair of long strings.
pub(crate) fn shared_metadata_schema(pairs: usize, bytes: usize) -> Vec<u8> {
    let mut fbb = FlatBufferBuilder::new();
    let long = Some(fbb.create_string(&"x".repeat(bytes)));
    let pair = arrow_ipc::KeyValue::create(&mut fbb, &arrow_ipc::KeyValueArgs { key: long, value: long });
    let custom_metadata = Some(fbb.create_vector(&vec![pair; pairs]));
    finish_schema(fbb, &arrow_ipc::SchemaArgs { custom_metadata, ..Default::default() })
}

fn finish_schema<'f>(mut fbb: FlatBufferBuilder<'f>, args: &arrow_ipc::SchemaArgs<'f>) -> Vec<u8> {
    let schema = arrow_ipc::Schema::create(&mut fbb, args);
    let args = MessageArgs {
        version: MetadataVersion::V5,
        header_type: MessageHeader::Schema,
        header: Some(schema.as_union_value()),
        ..Default::default()
    };
    let root = Message::create(&mut fbb, &args);
    fbb.finish(root, None);
    encapsulate(fbb.finished_data(), &[])
}

/// Makes a batch of nullable columns; only spans may have no nulls.
pub(crate) fn batch_of(columns: impl IntoIterator<Item = (&'static str, ArrayRef)>) -> RecordBatch {
    let columns = columns.into_iter().map(|(name, array)| {
        let nullable = ![wire::OFFSET, wire::LENGTH].contains(&name);
        (Field::new(name, array.data_type().clone(), nullable), array)
    });
    let (fields, arrays): (Vec<Field>, Vec<ArrayRef>) = columns.unzip();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).unwrap()
}
